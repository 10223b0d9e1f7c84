"""adain-vgg16: AdaIN on ImageNet's VGG-16 to relu4_1, with a decoder from `styleexport train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import vgg16
from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import AdainNetwork
from styleexport.models.networks._published import read_whole


def build() -> AdainNetwork:
    """Return the network with random weights; it pads by reflection, as AdaIN does."""
    encoder = vgg16.build(("relu4_1",), "reflect")
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks))


def start(backbone: Path) -> AdainNetwork:
    """Return the network with an ImageNet encoder and a random decoder, to be trained.

    Raises:
        BadCheckpoint: the file is not VGG-16.
    """
    encoder = load_backbone(vgg16.build(("relu4_1",), "reflect"), backbone)
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks))


def read(paths: Sequence[Path]) -> AdainNetwork:
    """Return the network from one file that `styleexport train` saved.

    Raises:
        BadCheckpoint: the file is not that.
    """
    if (whole := read_whole(build(), paths)) is not None:
        return whole
    got = next(iter(read_tensors(paths[0]))) if len(paths) == 1 else f"{len(paths)} files"
    raise BadCheckpoint(
        f"adain-vgg16 takes one file from `styleexport train`, missing encoder.features.0.weight, "
        f"found {got}: make one with `styleexport train adain-vgg16 --backbone VGG16`"
    )


NETWORK = StyleNetwork(
    name="adain-vgg16",
    summary="AdaIN on ImageNet's VGG-16 to relu4_1 and its mirror",
    paper="Huang and Belongie, ICCV 2017, on Simonyan and Zisserman's VGG-16",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file from `styleexport train adain-vgg16`",
    trains=("decoder.",),
    start=start,
    backbone="ImageNet VGG-16 (torchvision's .pth, or a layer-named .npz)",
)
