"""VGG-16 (Simonyan and Zisserman, 2014), to relu5_3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.encoders._encoder import Encoder
from styleexport.models.encoders._vgg import Padding, VggEncoder, vgg_settings, vgg_taps

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build(taps: Sequence[str] = ("relu4_1",), padding: Padding = "zeros") -> VggEncoder:
    """Return VGG-16 up to the last of ``taps``, with random weights."""
    return VggEncoder(BLOCKS, taps, padding)


def read(path: Path, taps: Sequence[str]) -> VggEncoder:
    """Return the encoder with ImageNet weights, padding with zeros as it was trained.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    return load_backbone(build(taps), path)


ENCODER = Encoder(
    name="vgg16",
    summary="VGG-16: 3x3 convolutions and ReLUs",
    paper="Simonyan and Zisserman, Very Deep Convolutional Networks, ICLR 2015",
    taps=vgg_taps(BLOCKS),
    default_tap="relu4_1",
    build=build,
    read=read,
    checkpoints="torchvision's vgg16, or a layer-named .npz",
    settings=vgg_settings,
)
