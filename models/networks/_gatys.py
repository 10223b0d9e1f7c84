"""Style transfer by optimization of the picture (Gatys et al., 2016), a step as a static graph.

With features F_l, [C, M] of a picture x at M positions, and Gram matrices G_l = F_l·F_lᵀ / M:

    loss(x) = α/2 · Σ (F_c - P)² / M  +  strength · Σ_l w_l / (4 C²) · Σ (G_l - A_l)²
              + τ/2 · Σ (x_p - x_q)² / M  over neighbouring pixels p and q

P are the features of the photograph at one layer, its content target; A_l, the style code, are the
Gram matrices of the painting (equations 1, 4 and 5 of the paper, whose Gram matrices are sums over
positions). The content term is divided by M too, so that the balance holds at every size. Features
are divided by √M before their products, which keeps those in range. A network may multiply the
channels of a layer by constants first, as the paper's normalized VGG does. τ is 0 in the paper;
networks that skip pixels need it. The gradient is written out: models/transforms/backward.py
carries each layer's part to the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.assets import folder
from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.models.checkpoint import load_into
from styleexport.models.encoders import vgg16
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.transforms.backward import Gradient, with_gradient

CONTENT_LAYER = "relu4_2"
VGG_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", CONTENT_LAYER, "relu5_1")
# Side of the shipped pictures by which channels are normalized.
NORMALIZING_SIDE = 128


@dataclass(frozen=True)
class Weights:
    """Weights of a loss.

    Attributes:
        content: α.
        style: w of each style layer, in order.
        smoothness: τ.
    """

    content: float
    style: tuple[float, ...]
    smoothness: float = 0.0


class GatysNetwork(nn.Module):
    """Loss network of an optimization.

    Args:
        stages: name of a layer → layers from the one before to it, in order; the first one's begin
            at the picture, RGB in 0..1.
        channels: number of channels of each layer of ``stages``.
        content: layer of the content target.
        weights: weights of the loss; all layers but one that is the content's alone are styles.
        normalized: whether channels are multiplied by constants, ones before `normalize`.
    """

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        channels: Sequence[int],
        content: str,
        weights: Weights,
        *,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.content = content
        self.weights = weights
        widths = dict(zip(stages, channels, strict=True))
        self.normalized = normalized
        for name, width in widths.items() if normalized else ():
            self.register_buffer(f"{name}_scale", torch.ones(1, width, 1, 1))
        extra = len(widths) - len(weights.style)
        self.style_layers = {
            name: (widths[name], weight)
            for name, weight in zip(
                [name for name in widths if not (extra and name == content)],
                weights.style,
                strict=True,
            )
        }

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes: the Gram matrix of each style layer."""
        parts = {f"{name}.gram": (width, width) for name, (width, _) in self.style_layers.items()}
        return CodeLayoutFact.of(parts, Blending.EXACT)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, ΣC²] of images [N, 3, H, W] in 0..1: Gram matrices."""
        grams, x = list[Tensor](), style
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.style_layers:
                rows = _rows(self._scaled(name, x))
                grams.append((rows @ rows.transpose(1, 2)).flatten(1))
            if len(grams) == len(self.style_layers):
                break
        return torch.cat(grams, 1)

    def content_target(self, content: Tensor) -> Tensor:
        """Return the content target [N, C·h·w] of images [N, 3, H, W] in 0..1."""
        x = content
        for name, stage in self.stages.items():
            x = stage(x)
            if name == self.content:
                break
        return self._scaled(self.content, x).flatten(1)

    def step(
        self, image: Tensor, target: Tensor, code: Tensor, strength: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss [1] of one image, and its gradient by the image, [1, 3, H, W].

        Args:
            image: [1, 3, H, W], RGB; 0..1, but not clamped.
            target: content target, [1, C·h·w].
            code: style code, [1, ΣC²].
            strength: [1], factor of the style's term.
        """
        x, loss, start = image, torch.zeros_like(strength), 0
        pulls: list[tuple[Gradient, list[Tensor]]] = []
        for name, stage in self.stages.items():
            x, gradient = with_gradient(stage, x)
            features, own = self._scaled(name, x), list[Tensor]()
            if name == self.content:
                term, g = _content(features, target, self.weights.content)
                loss = loss + term
                own.append(self._scaled(name, g))
            if name in self.style_layers:
                width, weight = self.style_layers[name]
                gram = code[:, start : start + width**2].reshape(1, width, width)
                start += width**2
                term, g = _style(features, gram, weight)
                loss = loss + strength * term
                own.append(strength.reshape(1, 1, 1, 1) * self._scaled(name, g))
            pulls.append((gradient, own))
        total = _pulled(pulls)
        if self.weights.smoothness:
            term, g = _roughness(image, self.weights.smoothness)
            loss, total = loss + term, total + g
        return loss, total

    def _scaled(self, name: str, x: Tensor) -> Tensor:
        """Return features, or a gradient by scaled ones, times the constants of their channels."""
        return x * getattr(self, f"{name}_scale") if self.normalized else x

    def normalize(self) -> GatysNetwork:
        """Set the constants of channels so that the mean square of each is 1, and return itself.

        The means are over the pictures that ship. Channels that are nearly always zero are not
        raised: a hundredth of the layer's mean square is added to each.
        """
        squares: dict[str, list[Tensor]] = {name: [] for name in self.stages}
        size = Size(NORMALIZING_SIDE, NORMALIZING_SIDE)
        with torch.no_grad():
            for path in sorted(folder().glob("*.jpg")):
                x = torch.from_numpy(array_from_image(centre_crop(read_image(path), size)))
                for name, stage in self.stages.items():
                    x = stage(x)
                    squares[name].append(x.square().mean((0, 2, 3)))
        for name, each in squares.items():
            square = torch.stack(each).mean(0)
            scale = torch.rsqrt(square + 0.01 * square.mean())
            self.get_buffer(f"{name}_scale").copy_(scale.reshape(1, -1, 1, 1))
        return self


def vgg_encoder(divisor: int) -> VggEncoder:
    """Return VGG-16 with its numbers of channels divided by a number, random weights."""
    blocks = [[width // divisor for width in block] for block in vgg16.BLOCKS]
    return VggEncoder(blocks, VGG_LAYERS, "zeros")


def vgg_network(encoder: VggEncoder, weights: Weights, *, normalized: bool = False) -> GatysNetwork:
    """Return the loss network of a VGG that is tapped at `VGG_LAYERS`."""
    stages: dict[str, nn.Module] = {}
    start = 0
    for name, tap in zip(encoder.tap_names, encoder.taps, strict=True):
        first = () if stages else (encoder.normalise,)
        stages[name] = nn.Sequential(*first, *list(encoder.features)[start : tap + 1])
        start = tap + 1
    return GatysNetwork(stages, encoder.widths, CONTENT_LAYER, weights, normalized=normalized)


def whole(
    build: Callable[[], GatysNetwork], tensors: dict[str, Tensor], path: Path
) -> GatysNetwork | None:
    """Return the network of a file of its own state dict; None where it is of another kind.

    Raises:
        BadCheckpoint: its layers are those of another network.
    """
    if not any(key.startswith("stages.") for key in tensors):
        return None
    network = build()
    load_into(network, tensors, path)
    return network


def _pulled(pulls: Sequence[tuple[Gradient, Sequence[Tensor]]]) -> Tensor:
    """Return the gradient by the image: each stage's own, and those of the stages behind it."""
    total: Tensor | None = None
    for gradient, own in reversed(pulls):
        for g in own:
            total = g if total is None else total + g
        assert total is not None
        total = gradient(total)
    assert total is not None
    return total


def _rows(x: Tensor) -> Tensor:
    """Return features [N, C, H, W] as [N, C, H·W], divided by the root of the positions."""
    return x.flatten(2) * (1 / math.sqrt(x.shape[2] * x.shape[3]))


def _content(x: Tensor, target: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Return the content's term [1], and its gradient by the features."""
    scale = weight / (x.shape[2] * x.shape[3])
    difference = x - target.reshape(x.shape)
    return 0.5 * scale * _sum_of_squares(difference), scale * difference


def _style(x: Tensor, gram: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Return a style layer's term [1], and its gradient by the features.

    With R = F/√M and D = G - A: ∂/∂R = w/(4C²)·2·(D + Dᵀ)·R.
    """
    rows = _rows(x)
    difference = rows @ rows.transpose(1, 2) - gram
    scale = weight / (4 * x.shape[1] ** 2)
    both = difference + difference.transpose(1, 2)
    g = both @ rows * (2 * scale / math.sqrt(x.shape[2] * x.shape[3]))
    return scale * _sum_of_squares(difference), g.reshape(x.shape)


def _sum_of_squares(x: Tensor) -> Tensor:
    """Return ‖x‖² as [1], axis by axis: kernels add up in one float32, whatever the number."""
    total = x * x
    for axis in range(x.dim() - 1, 0, -1):
        total = total.sum(axis, keepdim=True)
    return total.reshape(1)


def _roughness(image: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Return the term of neighbouring pixels [1], and its gradient by the image."""
    scale = weight / (image.shape[2] * image.shape[3])
    across, down = image[..., 1:] - image[..., :-1], image[:, :, 1:] - image[:, :, :-1]
    g = F.pad(across, (1, 0)) - F.pad(across, (0, 1))
    g = g + F.pad(down, (0, 0, 1, 0)) - F.pad(down, (0, 0, 0, 1))
    return 0.5 * scale * (_sum_of_squares(across) + _sum_of_squares(down)), scale * g
