"""DenseNet-121 (Huang et al., CVPR 2017), under torchvision's key names, old and new.

Every layer is batch norm, ReLU, convolution. A norm behind a convolution folds into it; the first
of a dense layer, behind a concatenation, stays a multiplication and an addition a channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._encoder import Encoder, Tap, deepest_stride
from styleexport.models.encoders._staged import FixedBatchNorm2d, StagedEncoder, conv

BLOCKS = (6, 12, 24, 16)
GROWTH, BOTTLENECK, STEM = 32, 128, 64
# Before its norms were numbered without a dot, torchvision wrote norm.1 for norm1.
OLD_NAME = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12])\.")


class DenseLayer(nn.Module):
    """Two convolutions behind norms and ReLUs; the features are added to the input's channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1 = FixedBatchNorm2d(inputs)
        self.conv1 = conv(inputs, BOTTLENECK, 1)
        self.norm2 = FixedBatchNorm2d(BOTTLENECK)
        self.conv2 = conv(BOTTLENECK, GROWTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C + 32, H, W] of [N, C, H, W]."""
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


class Transition(nn.Module):
    """Half the channels and half the size."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm = FixedBatchNorm2d(inputs)
        self.conv = conv(inputs, inputs // 2, 1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C/2, H/2, W/2] of [N, C, H, W]."""
        return self.pool(self.conv(F.relu(self.norm(x))))


def _stages() -> Iterator[tuple[str, nn.Module]]:
    yield "conv0", conv(3, STEM, 7, 2)
    yield "norm0", FixedBatchNorm2d(STEM)
    yield "relu0", nn.ReLU()
    yield "pool0", nn.MaxPool2d(3, 2, padding=1)
    channels = STEM
    for number, count in enumerate(BLOCKS, 1):
        block = nn.Sequential()
        for index in range(1, count + 1):
            block.add_module(f"denselayer{index}", DenseLayer(channels))
            channels += GROWTH
        yield f"denseblock{number}", block
        if number < len(BLOCKS):
            yield f"transition{number}", Transition(channels)
            channels //= 2
    yield "norm5", FixedBatchNorm2d(channels)


def build(taps: Sequence[str]) -> StagedEncoder:
    """Return DenseNet-121 up to the last of ``taps``, with random weights.

    The pools of transitions round down, so pictures are continued to a multiple of the stride.
    """
    return StagedEncoder(_stages(), taps, multiple=deepest_stride(TAPS, taps))


def read(path: Path, taps: Sequence[str]) -> StagedEncoder:
    """Return the encoder with torchvision's weights.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    tensors = {OLD_NAME.sub(r"\1\2.", key): value for key, value in read_tensors(path).items()}
    return load_stages(build(taps), ENCODER, tensors, path)


TAPS = (
    Tap("pool0", 64, 4, 9_536),
    Tap("transition1", 128, 8, 377_856),
    Tap("transition2", 256, 16, 1_429_632),
    Tap("denseblock3", 1024, 16, 4_267_392),
    Tap("transition3", 512, 32, 4_793_728),
    Tap("norm5", 1024, 32, 6_953_856),
)
ENCODER = Encoder(
    name="densenet121",
    summary="DenseNet-121: concatenated features, norms in front of ReLUs and convolutions",
    paper="Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
    taps=TAPS,
    default_tap="transition2",
    build=build,
    read=read,
    checkpoints="torchvision's densenet121",
)
