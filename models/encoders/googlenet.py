"""GoogLeNet (Szegedy et al., CVPR 2015), under torchvision's key names.

torchvision's trained weights take pictures in -1..1, which it makes of ImageNet's normalisation:
both are one map here. Its "5x5" branch has 3x3 windows, as it was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._encoder import Encoder, Tap, deepest_stride
from styleexport.models.encoders._staged import FixedBatchNorm2d, StagedEncoder, conv

HALF = (0.5, 0.5, 0.5)
# Channels: 1x1 branch; 3x3 branch, inside and out; second 3x3 branch, inside and out; pool branch.
Widths = tuple[int, int, int, int, int, int]
MODULES: tuple[tuple[str, Widths | None], ...] = (
    ("inception3a", (64, 96, 128, 16, 32, 32)),
    ("inception3b", (128, 128, 192, 32, 96, 64)),
    ("maxpool3", None),
    ("inception4a", (192, 96, 208, 16, 48, 64)),
    ("inception4b", (160, 112, 224, 24, 64, 64)),
    ("inception4c", (128, 128, 256, 24, 64, 64)),
    ("inception4d", (112, 144, 288, 32, 64, 64)),
    ("inception4e", (256, 160, 320, 32, 128, 128)),
    ("maxpool4", None),
    ("inception5a", (256, 160, 320, 32, 128, 128)),
    ("inception5b", (384, 192, 384, 48, 128, 128)),
)


class ConvNorm(nn.Module):
    """A convolution, its batch norm and a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride)
        self.bn = FixedBatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's features of [N, C, H, W]."""
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four branches of one input, concatenated."""

    def __init__(self, inputs: int, widths: Widths) -> None:
        super().__init__()
        one, inside, three, inside_second, second, pooled = widths
        self.branch1 = ConvNorm(inputs, one, 1)
        self.branch2 = nn.Sequential(ConvNorm(inputs, inside, 1), ConvNorm(inside, three, 3))
        self.branch3 = nn.Sequential(
            ConvNorm(inputs, inside_second, 1), ConvNorm(inside_second, second, 3)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), ConvNorm(inputs, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, ΣC, H, W] of [N, C, H, W]."""
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


def _stages() -> Iterator[tuple[str, nn.Module]]:
    yield "conv1", ConvNorm(3, 64, 7, 2)
    yield "maxpool1", nn.MaxPool2d(3, 2, ceil_mode=True)
    yield "conv2", ConvNorm(64, 64, 1)
    yield "conv3", ConvNorm(64, 192, 3)
    yield "maxpool2", nn.MaxPool2d(3, 2, ceil_mode=True)
    channels = 192
    for name, widths in MODULES:
        if widths is None:
            yield name, nn.MaxPool2d(2 if name == "maxpool4" else 3, 2, ceil_mode=True)
            continue
        yield name, Inception(channels, widths)
        channels = widths[0] + widths[2] + widths[4] + widths[5]


def build(taps: Sequence[str]) -> StagedEncoder:
    """Return GoogLeNet up to the last of ``taps``, with random weights.

    Its pools lose the last row of odd sizes, so pictures are continued to a multiple of the stride.
    """
    return StagedEncoder(_stages(), taps, HALF, HALF, deepest_stride(TAPS, taps))


def read(path: Path, taps: Sequence[str]) -> StagedEncoder:
    """Return the encoder with torchvision's weights; auxiliary classifiers are left out.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    stages = ("conv", "inception")
    tensors = {
        f"features.{key}" if key.startswith(stages) else key: value
        for key, value in read_tensors(path).items()
    }
    return load_stages(build(taps), ENCODER, tensors, path)


TAPS = (
    Tap("conv1", 64, 2, 9_536),
    Tap("conv3", 192, 4, 124_736),
    Tap("inception3b", 480, 8, 620_832),
    Tap("inception4e", 832, 16, 3_273_920),
    Tap("inception5b", 1024, 32, 5_599_904),
)
ENCODER = Encoder(
    name="googlenet",
    summary="GoogLeNet: Inception modules of four branches",
    paper="Szegedy et al., Going Deeper with Convolutions, CVPR 2015",
    taps=TAPS,
    default_tap="inception3b",
    build=build,
    read=read,
    checkpoints="torchvision's googlenet, with or without its auxiliary classifiers",
    mean=HALF,
    std=HALF,
)
