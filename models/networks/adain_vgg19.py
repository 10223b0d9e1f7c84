"""adain-vgg19: the published AdaIN network (Huang and Belongie, ICCV 2017).

Reads vgg_normalised.pth and decoder.pth of the public PyTorch release, and torchvision's VGG-19
state dict in place of the former. torchvision's convolutions were trained with zero padding and
keep it; the release pads by reflection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import vgg19
from styleexport.models.encoders._vgg import Padding, vgg_settings
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import AdainNetwork
from styleexport.models.networks._published import conv_renames, read_whole, two_files

# Positions of the convolutions in the release's nn.Sequential: pads and ReLUs between them.
RELEASE_DECODER = (1, 5, 8, 11, 14, 18, 21, 25, 28)


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the padding of a module's encoder, as `build` takes it."""
    assert isinstance(module, AdainNetwork)
    return dict(vgg_settings(module.encoder))


def build(padding: Padding = "reflect") -> AdainNetwork:
    """Return the network with random weights."""
    encoder = vgg19.build(("relu4_1",), padding)
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks))


def start(backbone: Path) -> AdainNetwork:
    """Return the network with a published or torchvision encoder and a random decoder.

    Raises:
        BadCheckpoint: the file is neither.
    """
    encoder = vgg19.read(backbone, ("relu4_1",))
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks))


def read(paths: Sequence[Path]) -> AdainNetwork:
    """Return the network from an encoder and a decoder file, or from one file of `train`.

    Raises:
        BadCheckpoint: the files are not those.
    """
    if (whole := read_whole(build(), paths)) is not None:
        return whole
    encoder, decoder = two_files(
        "adain-vgg19", paths, "vgg_normalised.pth (or torchvision's vgg19) and decoder.pth"
    )
    network = start(encoder)
    renames = conv_renames(map(str, RELEASE_DECODER), network.decoder.conv_indices(), "layers")
    load_into(network.decoder, read_tensors(decoder), decoder, renamed=renames)
    return network


NETWORK = StyleNetwork(
    name="adain-vgg19",
    summary="AdaIN as published: VGG-19 to relu4_1 and its mirror, 7 M parameters",
    paper="Huang and Belongie, Arbitrary Style Transfer in Real-time with AdaIN, ICCV 2017",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="vgg_normalised.pth (or torchvision's vgg19) and decoder.pth; or one from `train`",
    trains=("decoder.",),
    start=start,
    backbone="vgg_normalised.pth, or torchvision's vgg19",
    settings=settings,
)
