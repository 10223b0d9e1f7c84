"""VGG-19 (Simonyan and Zisserman, 2014), to relu5_4.

Reads torchvision's state dict, whose convolutions were trained with zero padding and keep it, and
vgg_normalised.pth of the public AdaIN release, which pads by reflection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.encoders._encoder import Encoder
from styleexport.models.encoders._vgg import Padding, VggEncoder, vgg_settings, vgg_taps

BLOCKS = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
# Positions of the convolutions in the release's nn.Sequential: pads, ReLUs and pools between them.
RELEASE = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51)


def build(taps: Sequence[str] = ("relu4_1",), padding: Padding = "reflect") -> VggEncoder:
    """Return VGG-19 up to the last of ``taps``, with random weights."""
    return VggEncoder(BLOCKS, taps, padding)


def read(path: Path, taps: Sequence[str]) -> VggEncoder:
    """Return the encoder with torchvision's weights, or the AdaIN release's.

    Raises:
        BadCheckpoint: the file holds neither.
    """
    tensors = read_tensors(path)
    if any(key.startswith(("features.0.", "conv1_1.")) for key in tensors):
        return load_backbone(build(taps, "zeros"), path)
    encoder = build(taps, "reflect")
    names = {"0": "normalise"}
    names |= {
        str(place): f"features.{index}"
        for place, index in zip(RELEASE, encoder.conv_indices(), strict=False)
    }
    renames = {
        f"{k}.{kind}": f"{n}.{kind}" for k, n in names.items() for kind in ("weight", "bias")
    }
    past = [f"{place}." for place in RELEASE if str(place) not in names]
    load_into(encoder, tensors, path, renamed=renames, ignore=past)
    return encoder


ENCODER = Encoder(
    name="vgg19",
    summary="VGG-19: 3x3 convolutions and ReLUs",
    paper="Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015",
    taps=vgg_taps(BLOCKS),
    default_tap="relu4_1",
    build=build,
    read=read,
    checkpoints="torchvision's vgg19, or vgg_normalised.pth of the AdaIN release",
    settings=vgg_settings,
)
