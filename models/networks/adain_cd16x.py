"""adain-cd16x: AdaIN on the compressed VGG-19 of Collaborative Distillation (CVPR 2020).

Published as WCT encoders and decoders, e1.pth to e5.pth and d1.pth to d5.pth: level 4 is AdaIN's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import cd16x
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import AdainNetwork
from styleexport.models.networks._published import load_cd16x_decoder, read_whole, two_files

DEFAULT_LEVEL = 4


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the level of a module, as `build` takes it."""
    assert isinstance(module, AdainNetwork)
    return {"level": len(module.encoder.blocks)}


def build(level: int = DEFAULT_LEVEL) -> AdainNetwork:
    """Return the network of one level (1 to 5), with random weights."""
    encoder = cd16x.build(level)
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks, last_relu=True))


def start(backbone: Path) -> AdainNetwork:
    """Return the network of eN.pth's level with that encoder and a random decoder.

    Raises:
        BadCheckpoint: not an encoder of Collaborative Distillation.
    """
    encoder = cd16x.read_level(backbone)
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks, last_relu=True))


def read(paths: Sequence[Path]) -> AdainNetwork:
    """Return the network from eN.pth and dN.pth, or from the folder that holds e4.pth and d4.pth.

    Raises:
        BadCheckpoint: not a pair of one level.
    """
    if len(paths) == 1 and paths[0].is_dir():
        paths = [paths[0] / f"e{DEFAULT_LEVEL}.pth", paths[0] / f"d{DEFAULT_LEVEL}.pth"]
    if (whole := read_whole(build(), paths)) is not None:
        return whole
    encoder, decoder = two_files("adain-cd16x", paths, "e4.pth and d4.pth")
    network = start(encoder)
    load_cd16x_decoder(network.decoder, network.encoder, decoder)
    return network


NETWORK = StyleNetwork(
    name="adain-cd16x",
    summary="AdaIN on VGG-19 compressed 16 times by Collaborative Distillation",
    paper="Wang et al., Collaborative Distillation for Ultra-Resolution Style Transfer, CVPR 2020",
    licence="MIT (published weights)",
    build=build,
    read=read,
    checkpoints="eN.pth and dN.pth (N = 1 to 5), or the folder that holds e4.pth and d4.pth",
    trains=("decoder.",),
    start=start,
    backbone="e1.pth to e5.pth of Collaborative Distillation",
    settings=settings,
)
