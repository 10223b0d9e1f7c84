"""adain-lite: a small network of this project, trained from scratch; the smallest that ships.

An encoder of strided convolutions to 1/8, AdaIN at four levels in the mirrored decoder (the idea of
Avatar-Net, Sheng et al., CVPR 2018, with AdaIN for its skip connections too), 0.54 M parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.core.errors import BadCheckpoint
from styleexport.models import weights
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import MultiLevelAdainNetwork


def read(paths: Sequence[Path]) -> MultiLevelAdainNetwork:
    """Return the network with the weights that `styleexport train` saved.

    Raises:
        BadCheckpoint: not one file, or one of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"adain-lite takes one checkpoint file, got {len(paths)}")
    network = MultiLevelAdainNetwork()
    load_into(network, read_tensors(paths[0]), paths[0])
    return network


NETWORK = StyleNetwork(
    name="adain-lite",
    summary="AdaIN at four levels; the smallest that ships: grades colour, few strokes",
    paper="styleexport; after AdaIN, Huang and Belongie, ICCV 2017",
    licence="Apache-2.0",
    build=MultiLevelAdainNetwork,
    read=read,
    checkpoints="one file from `styleexport train adain-lite` (the shipped weights without)",
    min_side=16,
    weights=Path(weights.__file__).with_name("adain-lite.safetensors"),
    trains=("encoder.", "decoder."),
)
