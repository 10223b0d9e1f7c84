"""adain-residual: adain-lite with residual blocks that take statistics of projected features.

The network of adain-lite, two bottleneck blocks at 1/8 and two residual convolutions at 1/4, each
behind an AdaIN of its own. Their statistics are those of 1x1 projections of the style's features,
whose deviations depend on covariances. It starts from adain-lite's weights and is trained on the
style distance at three scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from styleexport.core.errors import BadCheckpoint
from styleexport.models import weights
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.residual import BLOCKS, ResidualDecoder
from styleexport.models.encoders._lite import WIDTHS
from styleexport.models.encoders._projected import ProjectedEncoder
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import MultiLevelAdainNetwork

ADDED = ("encoder.project.", "decoder.wide.", "decoder.flat.")


def build() -> MultiLevelAdainNetwork:
    """Return the network with random weights; its residual blocks are closed."""
    return MultiLevelAdainNetwork(ProjectedEncoder(BLOCKS * WIDTHS[-2]), ResidualDecoder())


def read(paths: Sequence[Path]) -> MultiLevelAdainNetwork:
    """Return the network with the weights that `styleexport train` saved, or those of adain-lite.

    With adain-lite's weights the blocks stay closed, and the network paints as adain-lite does.

    Raises:
        BadCheckpoint: not one file, or one of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"adain-residual takes one checkpoint file, got {len(paths)}")
    torch.manual_seed(0)
    network = build()
    tensors = read_tensors(paths[0])
    if not any(key.startswith(ADDED) for key in tensors):
        own = network.state_dict()
        tensors |= {key: value for key, value in own.items() if key.startswith(ADDED)}
    load_into(network, tensors, paths[0])
    return network


NETWORK = StyleNetwork(
    name="adain-residual",
    summary="AdaIN at four levels and in residual blocks; the default",
    paper="styleexport; after AdaIN, Huang and Belongie, ICCV 2017",
    licence="Apache-2.0",
    build=build,
    read=read,
    checkpoints="one file from `styleexport train adain-residual`, or adain-lite's weights (the "
    "shipped weights without)",
    min_side=16,
    weights=Path(weights.__file__).with_name("adain-residual.safetensors"),
    trains=("encoder.", "decoder."),
)
