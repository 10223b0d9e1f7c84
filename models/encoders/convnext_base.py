"""ConvNeXt-Base (Liu et al., CVPR 2022), under torchvision's key names.

torchvision moves channels last around norms and linear layers. Here they stay in place: the norm is
written as means over channels, linear layers are 1x1 convolutions. Both compute the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._encoder import Encoder, Tap, deepest_stride
from styleexport.models.encoders._staged import StagedEncoder, conv

# Width and number of blocks of each scale, from 1/4.
SCALES = ((128, 3), (256, 3), (512, 27), (1024, 3))
EPS = 1e-6
FIRST_SCALE = 1e-6


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel (x - μ)/√(var + ε)·γ + β, on [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised features."""
        centred = x - x.mean(1, keepdim=True)
        variance = (centred * centred).mean(1, keepdim=True)
        return centred / torch.sqrt(variance + EPS) * self.weight + self.bias


class Block(nn.Module):
    """A depthwise 7x7 convolution, a norm and two 1x1 convolutions, added to the input.

    Positions 1 and 6 of ``block`` are torchvision's permutations.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            conv(width, width, 7, groups=width, bias=True),
            nn.Identity(),
            ChannelNorm(width),
            conv(width, 4 * width, 1, bias=True),
            nn.GELU(),
            conv(4 * width, width, 1, bias=True),
        )
        self.layer_scale = nn.Parameter(torch.full((width, 1, 1), FIRST_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features of [N, C, H, W]."""
        return x + self.block(x) * self.layer_scale


def _stages() -> Iterator[tuple[str, nn.Module]]:
    inputs = SCALES[0][0]
    yield "0", nn.Sequential(nn.Conv2d(3, inputs, 4, 4), ChannelNorm(inputs))
    for index, (width, count) in enumerate(SCALES):
        if index > 0:
            yield str(2 * index), nn.Sequential(ChannelNorm(inputs), nn.Conv2d(inputs, width, 2, 2))
        yield str(2 * index + 1), nn.Sequential(*(Block(width) for _ in range(count)))
        inputs = width


def build(taps: Sequence[str]) -> StagedEncoder:
    """Return ConvNeXt-Base up to the last of ``taps``, with random weights.

    Its strided layers round down, so pictures are continued to a multiple of the stride.
    """
    return StagedEncoder(_stages(), taps, multiple=deepest_stride(TAPS, taps))


def read(path: Path, taps: Sequence[str]) -> StagedEncoder:
    """Return the encoder with torchvision's weights.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    return load_stages(build(taps), ENCODER, read_tensors(path), path)


TAPS = (
    Tap("features.0", 128, 4, 6_528),
    Tap("features.1", 128, 4, 422_016),
    Tap("features.3", 256, 8, 2_171_008),
    Tap("features.5", 512, 16, 60_121_216),
    Tap("features.7", 1024, 32, 87_564_416),
)
ENCODER = Encoder(
    name="convnext-base",
    summary="ConvNeXt-Base: depthwise 7x7 convolutions, layer norm over channels, GELU",
    paper="Liu et al., A ConvNet for the 2020s, CVPR 2022",
    taps=TAPS,
    default_tap="features.3",
    build=build,
    read=read,
    checkpoints="torchvision's convnext_base",
)
