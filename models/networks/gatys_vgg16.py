"""gatys-vgg16: the picture itself is optimized, under ImageNet's VGG-16.

Content at relu4_2, styles at relu1_1 to relu5_1, as Gatys et al. have them on VGG-19.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders import vgg16
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._gatys import (
    VGG_LAYERS,
    GatysNetwork,
    Weights,
    vgg_encoder,
    vgg_network,
    whole,
)

WEIGHTS = Weights(content=1.0, style=(4000.0,) * 5)


def build(divisor: int = 1) -> GatysNetwork:
    """Return the network with random weights, and with a fraction of the channels."""
    return vgg_network(vgg_encoder(divisor), WEIGHTS)


def read(paths: Sequence[Path]) -> GatysNetwork:
    """Return the network with the weights of one file.

    Raises:
        BadCheckpoint: not one file, or of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"gatys-vgg16 takes one file of VGG-16, got {len(paths)}")
    tensors = read_tensors(paths[0])
    first = tensors.get("stages.relu1_1.1.weight")
    divisor = vgg16.BLOCKS[0][0] // first.shape[0] if first is not None else 1
    if (own := whole(lambda: build(divisor), tensors, paths[0])) is not None:
        return own
    return vgg_network(vgg16.read(paths[0], VGG_LAYERS), WEIGHTS)


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the divisor of a module, as `build` takes it."""
    width = module.get_submodule("stages.relu1_1.1").out_channels
    return {"divisor": vgg16.BLOCKS[0][0] // int(width)}  # pyright: ignore[reportArgumentType]


NETWORK = StyleNetwork(
    name="gatys-vgg16",
    summary="Optimizes the picture by L-BFGS under VGG-16: a loss and its gradient; exact blends",
    paper="Gatys et al., Image Style Transfer Using Convolutional Neural Networks, CVPR 2016",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file of ImageNet VGG-16 (torchvision's .pth, or a layer-named .npz)",
    settings=settings,
    family="Optimization",
)
