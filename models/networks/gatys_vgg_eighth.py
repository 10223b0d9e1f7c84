"""gatys-vgg-eighth: the picture itself is optimized, under a VGG-16 of an eighth of its channels.

The loss network was distilled from VGG-16 (`python -m tools.train_gatys_eighth`): by features and
Gram matrices through maps of 1x1 convolutions, and by softened outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.core.errors import BadCheckpoint
from styleexport.models import weights
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._gatys import (
    GatysNetwork,
    Weights,
    vgg_encoder,
    vgg_network,
    whole,
)

DIVISOR = 8
# Layers of the file that the loss does not need.
BEHIND = ("features.26.", "features.28.")
WEIGHTS = Weights(content=1.0, style=(4000.0,) * 5)


def build() -> GatysNetwork:
    """Return the network with random weights."""
    return vgg_network(vgg_encoder(DIVISOR), WEIGHTS, normalized=True)


def read(paths: Sequence[Path]) -> GatysNetwork:
    """Return the network with the weights of one file, all thirteen convolutions or those it needs.

    Raises:
        BadCheckpoint: not one file, or of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"gatys-vgg-eighth takes one file, got {len(paths)}")
    tensors = read_tensors(paths[0])
    if (own := whole(build, tensors, paths[0])) is not None:
        return own
    encoder = vgg_encoder(DIVISOR)
    renamed = {f"features.{key}": key for key in encoder.features.state_dict()}
    load_into(encoder.features, tensors, paths[0], renamed=renamed, ignore=BEHIND)
    return vgg_network(encoder, WEIGHTS, normalized=True).normalize()


NETWORK = StyleNetwork(
    name="gatys-vgg-eighth",
    summary="Optimizes the picture by L-BFGS under a VGG-16 of an eighth of the width, distilled",
    paper="Gatys et al., CVPR 2016; widths of Yen, compressed networks on iOS, 2016",
    licence="Apache-2.0",
    build=build,
    read=read,
    checkpoints="one file from `python -m tools.train_gatys_eighth` (the shipped weights without)",
    weights=Path(weights.__file__).with_name("gatys-vgg-eighth.safetensors"),
    family="Optimization",
)
