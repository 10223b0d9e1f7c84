"""adain-cd16x: AdaIN on the compressed VGG-19 of Collaborative Distillation (CVPR 2020).

Published as WCT encoders and decoders, e1.pth to e5.pth and d1.pth to d5.pth: level 4 is AdaIN's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import cd16x
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import AdainNetwork
from styleexport.models.networks._published import conv_renames, read_whole, two_files

DEFAULT_LEVEL = 4


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the level of a module, as `build` takes it."""
    assert isinstance(module, AdainNetwork)
    return {"level": len(module.encoder.blocks)}


def build(level: int = DEFAULT_LEVEL) -> AdainNetwork:
    """Return the network of one level (1 to 5), with random weights."""
    encoder = cd16x.build(level)
    return AdainNetwork(encoder, MirrorDecoder(encoder.blocks, last_relu=True))


def _layers(level: int) -> list[str]:
    blocks = cd16x.build(level).blocks
    return [f"conv{b}{i}" for b, widths in enumerate(blocks, 1) for i in range(1, len(widths) + 1)]


def _level(path: Path, keys: Sequence[str]) -> int:
    blocks = [int(match[1]) for key in keys if (match := re.match(r"conv([1-5])\d\.", key))]
    if not blocks:
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: missing conv11.weight, found {keys[0]}; "
            "expected e1.pth to e5.pth of Collaborative Distillation"
        )
    return max(blocks)


def start(backbone: Path) -> AdainNetwork:
    """Return the network of eN.pth's level with that encoder and a random decoder.

    Raises:
        BadCheckpoint: not an encoder of Collaborative Distillation.
    """
    tensors = read_tensors(backbone)
    level = _level(backbone, list(tensors))
    network, layers = build(level), _layers(level)
    renames = conv_renames(layers, network.encoder.conv_indices(), "features")
    renames |= {f"conv0.{kind}": f"normalise.{kind}" for kind in ("weight", "bias")}
    auxiliary = [f"{layer}_aux" for layer in layers]
    load_into(network.encoder, tensors, backbone, renamed=renames, ignore=auxiliary)
    return network


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
    layers = _layers(len(network.encoder.blocks))
    renames = conv_renames(reversed(layers), network.decoder.conv_indices(), "layers")
    load_into(network.decoder, read_tensors(decoder), decoder, renamed=renames)
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
