"""EfficientNet-Lite0 (Google, 2020): EfficientNet-B0 without gates, with ReLU6.

Reads the keys of the PyTorch release (``_conv_stem``, ``_blocks.N``), whose weights come from
TensorFlow: pictures (255·x - 127)/128, layers of stride 2 padded below and to the right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import nn

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders._backbone import load_stages
from styleexport.models.encoders._encoder import Encoder, Tap
from styleexport.models.encoders._inverted import BlockStyle, Stage, blocks_of
from styleexport.models.encoders._staged import StagedEncoder, conv, conv_norm

STYLE = BlockStyle(nn.ReLU6, eps=1e-3, padding="same")
MEAN, STD = (127 / 255, 127 / 255, 127 / 255), (128 / 255, 128 / 255, 128 / 255)
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
# The release's name of a block's layer → its place in ours; the first block does not expand.
LAYERS = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
ENDS = {"_conv_stem": "stem.0", "_bn0": "stem.1", "_conv_head": "head.0", "_bn1": "head.1"}


def _stages() -> Iterator[tuple[str, nn.Module]]:
    yield "stem", conv_norm(conv(3, 32, 3, 2, padding="same"), STYLE.eps, nn.ReLU6)
    blocks = [block for stage in blocks_of(32, STAGES, STYLE) for block in stage]
    yield from ((f"blocks{number}", block) for number, block in enumerate(blocks))
    yield "head", conv_norm(conv(320, 1280, 1), STYLE.eps, nn.ReLU6)


def build(taps: Sequence[str]) -> StagedEncoder:
    """Return EfficientNet-Lite0 up to the last of ``taps``, with random weights."""
    return StagedEncoder(_stages(), taps, MEAN, STD)


def _renamed(key: str) -> str:
    """Return our name of a tensor of the release."""
    if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key):
        number, layer, kind = match.groups()
        place = LAYERS.index(layer) - (2 if number == "0" else 0)
        return f"features.blocks{number}.block.{place // 2}.{place % 2}.{kind}"
    layer, _, kind = key.partition(".")
    return f"features.{ENDS[layer]}.{kind}" if layer in ENDS else key


def read(path: Path, taps: Sequence[str]) -> StagedEncoder:
    """Return the encoder with the release's weights.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    tensors = {_renamed(key): value for key, value in read_tensors(path).items()}
    return load_stages(build(taps), ENCODER, tensors, path)


ENCODER = Encoder(
    name="efficientnet-lite0",
    summary="EfficientNet-Lite0: inverted residual blocks without gates, ReLU6",
    paper="Google, EfficientNet-Lite, 2020; after Tan and Le, ICML 2019",
    taps=(
        Tap("blocks2", 24, 4, 15_792),
        Tap("blocks4", 40, 8, 55_504),
        Tap("blocks10", 112, 16, 700_768),
        Tap("head", 1280, 32, 3_371_008),
    ),
    default_tap="blocks4",
    build=build,
    read=read,
    checkpoints="the PyTorch release of EfficientNet-Lite0, .pth or .npz (_conv_stem, _blocks.N)",
    mean=MEAN,
    std=STD,
)
