"""ENet's encoder (Paszke et al., 2016): the initial block and its first two stages.

Bottlenecks of four kinds: plain 3x3, strided, dilated, and 5x5 as 1x5 after 5x1. Batch norms are
folded into the convolutions before them. PReLUs have one slope each but the first.
Pictures are RGB in 0..255 to the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import read_tensors
from styleexport.models.transforms.backward import Gradient, with_gradient

WIDTHS = (16, 64, 128)
EPS = 1e-5


@dataclass(frozen=True)
class Kind:
    """Bottleneck of a stage: strided, dilated by some pixels, or with its kernel in two parts."""

    strided: bool = False
    dilation: int = 1
    asymmetric: bool = False


PLAIN, STRIDED, ASYMMETRIC = Kind(), Kind(strided=True), Kind(asymmetric=True)
STAGES = (
    (STRIDED, PLAIN, PLAIN, PLAIN, PLAIN),
    (
        *(STRIDED, PLAIN, Kind(dilation=2), ASYMMETRIC, Kind(dilation=4)),
        *(PLAIN, Kind(dilation=8), ASYMMETRIC, Kind(dilation=16)),
    ),
)


class InitialBlock(nn.Module):
    """A strided 3x3 convolution beside a 2x2 max pooling of the picture, and a PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels - 3, 3, 2, 1)
        self.pool = nn.MaxPool2d(2)
        self.activation = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, H/2, W/2]; of odd sides, the pixel that pooling leaves out is dropped."""
        x = _even(x)
        return self.activation(torch.cat([self.conv(x), self.pool(x)], 1))


@with_gradient.register
def _initial(layer: InitialBlock, x: Tensor) -> tuple[Tensor, Gradient]:
    even = _even(x)
    convolved, from_conv = with_gradient(layer.conv, even)
    pooled, from_pool = with_gradient(layer.pool, even)
    y, from_activation = with_gradient(layer.activation, torch.cat([convolved, pooled], 1))
    own = convolved.shape[1]

    def backward(g: Tensor) -> Tensor:
        g = from_activation(g)
        return _uncut(from_conv(g[:, :own]) + from_pool(g[:, own:]), x)

    return y, backward


class Bottleneck(nn.Module):
    """Three convolutions beside a skip connection, and a PReLU of the sum.

    Args:
        inputs: number of channels.
        outputs: number of channels; those that the skip connection lacks are zero in it.
        kind: its convolution.
    """

    def __init__(self, inputs: int, outputs: int, kind: Kind) -> None:
        super().__init__()
        inner = (inputs if kind.strided else outputs) // 4
        self.kind, self.missing = kind, outputs - inputs
        middle: list[nn.Module] = [
            nn.Conv2d(
                inner, inner, 3, 2 if kind.strided else 1, kind.dilation, dilation=kind.dilation
            )
        ]
        if kind.asymmetric:
            middle = [
                nn.Conv2d(inner, inner, (1, 5), padding=(0, 2), bias=False),
                nn.Conv2d(inner, inner, (5, 1), padding=(2, 0)),
            ]
        self.branch = nn.Sequential(
            *(nn.Conv2d(inputs, inner, 1), nn.PReLU(), *middle, nn.PReLU()),
            nn.Conv2d(inner, outputs, 1),
        )
        self.pool = nn.MaxPool2d(2) if kind.strided else nn.Identity()
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, outputs, H, W], of half the size where it is strided."""
        x = _even(x) if self.kind.strided else x
        return self.activation(self.branch(x) + self.widened(self.pool(x)))

    def widened(self, skip: Tensor) -> Tensor:
        """Return the skip connection with the channels that it lacks, all zero."""
        return nn.functional.pad(skip, (0, 0, 0, 0, 0, self.missing)) if self.missing else skip


@with_gradient.register
def _bottleneck(layer: Bottleneck, x: Tensor) -> tuple[Tensor, Gradient]:
    even = _even(x) if layer.kind.strided else x
    branch, from_branch = with_gradient(layer.branch, even)
    skip, from_skip = with_gradient(layer.pool, even)
    y, from_activation = with_gradient(layer.activation, branch + layer.widened(skip))

    def backward(g: Tensor) -> Tensor:
        g = from_activation(g)
        return _uncut(from_branch(g) + from_skip(g[:, : x.shape[1]]), x)

    return y, backward


def _even(x: Tensor) -> Tensor:
    """Return maps without a last row and column that no pair is left for."""
    return x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]


def _uncut(g: Tensor, x: Tensor) -> Tensor:
    """Return a gradient by x, zero in the last row and column that were cut off."""
    rows, columns = (x.shape[axis] - g.shape[axis] for axis in (2, 3))
    return nn.functional.pad(g, (0, columns, 0, rows)) if rows or columns else g


class EnetEncoder(nn.Module):
    """The encoder: ``normalise`` to 0..255, then blocks under the names of the publication.

    Args:
        widths: number of channels of the initial block and of the two stages.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        self.widths = widths
        self.normalise = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.normalise.weight.copy_(255 * torch.eye(3).reshape(3, 3, 1, 1))
            self.normalise.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
        self.blocks = nn.ModuleDict({"initial": InitialBlock(widths[0])})
        channels = widths[0]
        for number, (stage, width) in enumerate(zip(STAGES, widths[1:], strict=True), start=1):
            for position, kind in enumerate(stage):
                self.blocks[f"{number}_{position}"] = Bottleneck(channels, width, kind)
                channels = width


def read(path: Path) -> EnetEncoder:
    """Return the encoder with the weights of a file of ENet, its batch norms folded.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    tensors = read_tensors(path)
    encoder = EnetEncoder()
    block = "block"
    try:
        for name, part in encoder.blocks.items():
            block = "initial" if name == "initial" else f"b{name.replace('_', '')}"
            own = {
                key.removeprefix(f"{block}."): value
                for key, value in tensors.items()
                if key.startswith(f"{block}.")
            }
            part.load_state_dict(_initial_weights(own) if name == "initial" else _weights(own))
    except (KeyError, RuntimeError) as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: {block} lacks or has another {reason}; "
            "gatys-enet takes ENet with layers initial, b10 to b28, 3x3 strided bottlenecks and "
            "one PReLU each"
        ) from error
    return encoder


def _initial_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    folded = _folded(tensors, "conv", "norm")
    return {
        "conv.weight": folded[0],
        "conv.bias": folded[1],
        "activation.weight": tensors["activation.weight"],
    }


def _weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a bottleneck from those of a file, under our names."""
    found: dict[str, Tensor] = {}
    layers = [(0, "conv1", "norm1"), (2, "conv2", "norm2"), (4, "conv3", "norm3")]
    if "conv21.weight" in tensors:
        layers = [(0, "conv1", "norm1"), (3, "conv22", "norm2"), (5, "conv3", "norm3")]
        found["branch.2.weight"] = tensors["conv21.weight"]
    for index, conv, norm in layers:
        weight, bias = _folded(tensors, conv, norm)
        found |= {f"branch.{index}.weight": weight, f"branch.{index}.bias": bias}
    after = layers[1][0] + 1
    slopes = {"activation": "activation", "branch.1": "activation1"}
    slopes[f"branch.{after}"] = "activation2"
    return found | {f"{own}.weight": tensors[f"{theirs}.weight"] for own, theirs in slopes.items()}


def _folded(tensors: Mapping[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution with the batch norm behind it."""
    weight = tensors[f"{conv}.weight"].double()
    bias = tensors.get(f"{conv}.bias", torch.zeros(weight.shape[0])).double()
    gain = tensors[f"{norm}.weight"].double()
    gain = gain / torch.sqrt(tensors[f"{norm}.running_var"].double() + EPS)
    shifted = (bias - tensors[f"{norm}.running_mean"].double()) * gain
    shift = shifted + tensors[f"{norm}.bias"].double()
    return (weight * gain[:, None, None, None]).float(), shift.float()
