"""Seeded random weights under which a network behaves as a trained one does.

Without training, a deep network drives its activations to zero or to infinity, and what int8 loses
on it says nothing. Here every layer is scaled, one after the other, so that its output on pictures
has a standard deviation of one (Mishkin and Matas, "All you need is a good init", 2016), batch
norms hold the statistics of those pictures, and the last layer's output spreads over the range of
the picture. Kernels have means of their own: with zero means they would pass grain and rounding,
and stop the smooth parts of which pictures are made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import styleexport
from styleexport.core.images import array_from_image

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
LAYERS = (*CONVOLUTIONS, nn.Linear)
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, nn.LayerNorm)


def pictures(low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return two pictures [2, 3, 64, 64] of blobs, edges and grain, their pixels in low..high."""
    generator = torch.Generator().manual_seed(7)
    blobs, grain = (torch.rand(2, 3, side, side, generator=generator) for side in (6, 64))
    smooth = F.interpolate(blobs, size=64, mode="bicubic", align_corners=False)
    edges = (smooth[:, :1] > 0.5).float()
    picture = (0.7 * smooth + 0.2 * edges + 0.1 * grain).clamp(0, 1)
    return picture * (high - low) + low


def photographs(*names: str) -> Tensor:
    """Return pictures of the package, [N, 3, 64, 64] in 0..1; unless named, a bright and a dark."""
    folder = Path(styleexport.__file__).parent / "assets"
    images = (Image.open(folder / f"content_{name}.jpg") for name in names or ("harbour", "night"))
    return torch.cat([torch.from_numpy(array_from_image(i.resize((64, 64)))) for i in images])


def weighted(
    module: nn.Module,
    last: nn.Module,
    run: Callable[[], object],
    *,
    spread: float = 1.0,
    middle: float | None = None,
) -> nn.Module:
    """Return a module in inference mode, its weights drawn and scaled.

    Args:
        module: network, freshly built after ``torch.manual_seed``.
        last: layer that makes the picture.
        run: runs the network on pictures.
        spread: standard deviation of the last layer's output.
        middle: mean of the last layer's output in each channel; None leaves it as it comes.
    """
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, NORMS) and layer.weight is not None:
                layer.weight.uniform_(0.6, 1.4)
                layer.bias.uniform_(-0.3, 0.3)
            if isinstance(layer, CONVOLUTIONS) and layer.weight.requires_grad:
                *pair, height, width = layer.weight.shape
                if height * width > 1:
                    layer.weight += layer.weight.std() * torch.randn(*pair, 1, 1)
        handles = [
            layer.register_forward_hook(
                _scale(spread, middle) if layer is last else _scale(1.0, None)
            )
            for layer in module.modules()
            if isinstance(layer, LAYERS) and layer.weight.requires_grad
        ]
        handles += [
            layer.register_forward_pre_hook(_note_statistics)
            for layer in module.modules()
            if isinstance(layer, nn.BatchNorm2d)
        ]
        module.eval()
        run()
        for handle in handles:
            handle.remove()
    return module.requires_grad_(False)


def _scale(spread: float, middle: float | None) -> Callable[[nn.Module, object, Tensor], Tensor]:
    done: set[nn.Module] = set()

    def hook(layer: nn.Module, _: object, output: Tensor) -> Tensor:
        if layer in done:  # one that is run twice keeps the scale of its first run
            return output
        done.add(layer)
        assert isinstance(layer, LAYERS)
        axis = (1, -1, 1, 1) if output.dim() == 4 else (-1,)
        values = output if layer.bias is None else output - layer.bias.reshape(axis)
        inside = values - values.mean((2, 3), keepdim=True) if middle is not None else values
        factor = spread / float(inside.std())
        layer.weight.mul_(factor)
        values = values * factor
        if layer.bias is None:
            return values
        if middle is None:
            layer.bias.uniform_(-0.2, 0.2)
        else:
            layer.bias.copy_(middle - values.mean((0, 2, 3)))
        return values + layer.bias.reshape(axis)

    return hook


def _note_statistics(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(layer, nn.BatchNorm2d)
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3))
    layer.running_mean = mean
    layer.running_var = variance
