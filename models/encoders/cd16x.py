"""VGG-19 compressed 16 times by Collaborative Distillation (Wang et al., CVPR 2020).

Five encoders were published, one per level: level n ends at relu n_1. Level 1 is wider than the
first layer of the others (24 channels against 16).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.encoders._encoder import Encoder
from styleexport.models.encoders._vgg import VggEncoder, vgg_taps

BLOCKS = ((16,) * 2, (32,) * 2, (64,) * 4, (128,) * 4, (128,))
LEVEL_1_BLOCKS = ((24,),)
LEVELS = (1, 2, 3, 4, 5)


def build(level: int = 4) -> VggEncoder:
    """Return the encoder of one level (1 to 5), with random weights."""
    return VggEncoder(LEVEL_1_BLOCKS if level == 1 else BLOCKS, (f"relu{level}_1",), "reflect")


def layer_names(encoder: VggEncoder) -> list[str]:
    """Return the names that the release gives the convolutions, ``conv11`` first."""
    blocks = enumerate(encoder.blocks, 1)
    return [f"conv{block}{i}" for block, widths in blocks for i in range(1, len(widths) + 1)]


def read_level(path: Path) -> VggEncoder:
    """Return the encoder of an eN.pth, of the level that the file is of.

    Raises:
        BadCheckpoint: not an encoder of Collaborative Distillation.
    """
    tensors = read_tensors(path)
    levels = [int(match[1]) for key in tensors if (match := re.match(r"conv([1-5])\d\.", key))]
    if not levels:
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: missing conv11.weight, found "
            f"{next(iter(tensors))}; expected e1.pth to e5.pth of Collaborative Distillation"
        )
    encoder = build(max(levels))
    names = layer_names(encoder)
    places = {
        f"features.{index}": name for index, name in zip(encoder.conv_indices(), names, strict=True)
    }
    places["normalise"] = "conv0"
    renames = {
        f"{n}.{kind}": f"{k}.{kind}" for k, n in places.items() for kind in ("weight", "bias")
    }
    load_into(encoder, tensors, path, renamed=renames, ignore=[f"{name}_aux" for name in names])
    return encoder


def _build(taps: Sequence[str]) -> VggEncoder:
    """Return the encoder of the level that ends at a tap."""
    if len(taps) != 1 or taps[0] not in {tap.name for tap in TAPS}:
        raise ValueError(f"no such tap: {list(taps)}")
    return build(int(taps[0][4]))


def _read(path: Path, taps: Sequence[str]) -> VggEncoder:
    """Return the encoder of eN.pth, whose level is that of the tap.

    Raises:
        BadCheckpoint: not such an encoder, or one of another level.
    """
    encoder = read_level(path)
    if encoder.tap_names != tuple(taps):
        raise BadCheckpoint(
            f"checkpoint {path} is the encoder to {encoder.tap_names[0]}, expected one to "
            f"{', '.join(taps)}: type --tap {encoder.tap_names[0]}"
        )
    return encoder


TAPS = (
    *vgg_taps(LEVEL_1_BLOCKS),
    *(tap for tap in vgg_taps(BLOCKS) if tap.name.endswith("_1") and tap.stride > 1),
)
ENCODER = Encoder(
    name="cd16x",
    summary="VGG-19 compressed 16 times, one encoder a level",
    paper="Wang et al., Collaborative Distillation for Ultra-Resolution Style Transfer, CVPR 2020",
    taps=TAPS,
    default_tap="relu4_1",
    build=_build,
    read=_read,
    checkpoints="e1.pth to e5.pth of Collaborative Distillation",
)
