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
from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.encoders._vgg import Padding
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import AdainNetwork
from styleexport.models.networks._published import conv_renames, read_whole, two_files

# Positions of the convolutions in the release's nn.Sequential: pads, ReLUs and pools between them.
RELEASE_ENCODER = (2, 5, 9, 12, 16, 19, 22, 25, 29)
RELEASE_ENCODER_PAST = tuple(f"{i}." for i in (32, 35, 38, 42, 45, 48, 51))
RELEASE_DECODER = (1, 5, 8, 11, 14, 18, 21, 25, 28)


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the padding of a module's encoder, as `build` takes it."""
    assert isinstance(module, AdainNetwork)
    first = module.encoder.features[0]
    assert isinstance(first, nn.Conv2d)
    return {"padding": first.padding_mode}


def build(padding: Padding = "reflect") -> AdainNetwork:
    """Return the network with random weights."""
    encoder = vgg19.build(("relu4_1",), padding)
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks))


def start(backbone: Path) -> AdainNetwork:
    """Return the network with a published or torchvision encoder and a random decoder.

    Raises:
        BadCheckpoint: the file is neither.
    """
    tensors = read_tensors(backbone)
    if "features.0.weight" in tensors:
        network = build("zeros")
        load_backbone(network.encoder, backbone)
        return network
    network = build("reflect")
    renames = conv_renames(map(str, RELEASE_ENCODER), network.encoder.conv_indices(), "features")
    renames |= {f"0.{kind}": f"normalise.{kind}" for kind in ("weight", "bias")}
    load_into(network.encoder, tensors, backbone, renamed=renames, ignore=RELEASE_ENCODER_PAST)
    return network


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
