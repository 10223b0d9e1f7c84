"""Encoders of PCA-KD (Chiu and Gurari, CVPR 2022): MobileNet and VGG-19 of a few channels.

Four blocks each. What the next block loses, the decoder is given: a block's input less its mean
over 3x3 pixels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

MOBILENET_WIDTHS = (10, 19, 37, 54)
VGG_WIDTHS = (10, 20, 58, 64)
# Convolutions of each later block in front of its pooling.
VGG_COUNTS = (1, 1, 3)


def reflected(
    inputs: int, outputs: int, kernel: int = 3, groups: int = 1, *, bias: bool = True
) -> nn.Conv2d:
    """Return a convolution that keeps the size, reflecting at the borders."""
    shape = (inputs, outputs, kernel, 1, kernel // 2, 1, groups, bias)
    return nn.Conv2d(*shape, padding_mode="reflect")


class HalvingConv(nn.Conv2d):
    """A 3x3 convolution of stride 2, reflecting below and to the right, odd sides rounded up.

    The release takes even sides alone, of which this is its padding of one row and column.
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride=2, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        """Return [N, C', ceil(H/2), ceil(W/2)] for [N, C, H, W]."""
        height, width = input.shape[2:]
        return super().forward(F.pad(input, (0, 1 + width % 2, 0, 1 + height % 2), mode="reflect"))


class Doubled(nn.Module):
    """2x - 1: pictures in 0..1 as MobileNet takes them."""

    def forward(self, image: Tensor) -> Tensor:
        """Return pictures in -1..1."""
        return image * 2.0 - 1.0


def detail(x: Tensor) -> Tensor:
    """Return maps [N, C, H, W] less their mean over 3x3 pixels, border pixels repeated."""
    return x - F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


class DistilledEncoder(nn.Module):
    """Blocks from a picture to its deepest features.

    Args:
        blocks: blocks, from the picture on.
        widths: number of channels that each gives.
    """

    def __init__(self, blocks: Sequence[nn.Module], widths: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.widths = tuple(widths)

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return what each block gives for an image [N, 3, H, W] in 0..1, and its input's detail.

        [N, C, H/s, W/s], s doubling from block to block, sides rounded up.
        """
        features, details = list[Tensor](), list[Tensor]()
        x = image
        for block in self.blocks:
            details.append(detail(x))
            x = block(x)
            features.append(x)
        return features, details


def mobilenet(widths: Sequence[int] = MOBILENET_WIDTHS) -> DistilledEncoder:
    """Return the MobileNet: blocks at 1/2, 1/4, 1/8 and 1/16 of the picture's sides."""
    blocks = [nn.Sequential(Doubled(), HalvingConv(3, widths[0]), nn.ReLU())]
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        layers: list[nn.Module] = []
        if index > 0:  # the first of these blocks begins behind the convolution of the picture
            layers.append(reflected(inputs, outputs, 1))
            inputs = outputs
        layers += [reflected(inputs, inputs, groups=inputs), reflected(inputs, outputs, 1)]
        layers.append(HalvingConv(outputs, outputs, groups=outputs))
        blocks.append(nn.Sequential(*(each for x in layers for each in (x, nn.ReLU()))))
    return DistilledEncoder(blocks, widths)


def vgg(widths: Sequence[int] = VGG_WIDTHS) -> DistilledEncoder:
    """Return the VGG-19: relu1_1, relu2_1, relu3_1 and relu4_1, at 1/1 to 1/8."""
    blocks = [nn.Sequential(nn.Conv2d(3, 3, 1), reflected(3, widths[0]), nn.ReLU())]
    for (inputs, outputs), count in zip(itertools.pairwise(widths), VGG_COUNTS, strict=True):
        layers: list[nn.Module] = []
        for _ in range(count):
            layers += [reflected(inputs, inputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2, ceil_mode=True), reflected(inputs, outputs), nn.ReLU()]
        blocks.append(nn.Sequential(*layers))
    return DistilledEncoder(blocks, widths)
