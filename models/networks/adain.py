"""adain: the published network with any encoder of models/encoders/ (--encoder, --tap).

Encoder and decoder are trained together, scored by a VGG that is not part of the network. The
decoder mirrors VGG-19 from the stride of the tap.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.models.encoders import vgg19
from styleexport.models.encoders._encoder import find_encoder
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import EncoderAdainNetwork
from styleexport.models.networks._one_encoder import (
    TRAINED,
    mirror,
    network_of,
    read_network,
    settings_of,
)

DEFAULT = "vgg19"
DECODER = mirror(vgg19.BLOCKS[:4])


def build(encoder: str = DEFAULT, tap: str = "", **settings: str) -> EncoderAdainNetwork:
    """Return the network with random weights.

    Raises:
        UsageError: there is no such encoder or tap, or the decoder does not fit the tap.
    """
    described = find_encoder(encoder)
    module = described.build((described.tap(tap).name,), **settings)
    return network_of(described, module, DECODER, {"encoder": encoder})


def start(backbone: Path, encoder: str = DEFAULT, tap: str = "") -> EncoderAdainNetwork:
    """Return the network with an encoder's weights and a random decoder.

    Raises:
        UsageError: there is no such encoder or tap, or the decoder does not fit the tap.
        BadCheckpoint: the weights are of another network.
    """
    described = find_encoder(encoder)
    module = described.read(backbone, (described.tap(tap).name,))
    return network_of(described, module, DECODER, {"encoder": encoder})


def read(paths: Sequence[Path]) -> EncoderAdainNetwork:
    """Return the network on VGG-19 from a file without a record of another encoder.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    return read_network("adain", find_encoder(DEFAULT), build, paths)


NETWORK = StyleNetwork(
    name="adain",
    summary="AdaIN with any encoder (--encoder, --tap) and a decoder that mirrors VGG-19",
    paper="Huang and Belongie, Arbitrary Style Transfer in Real-time with AdaIN, ICCV 2017",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file from `styleexport train adain --encoder NAME`",
    trains=TRAINED,
    start=start,
    backbone="weights of the encoder",
    settings=settings_of,
    choices=("encoder", "tap"),
    encoder=DEFAULT,
)
