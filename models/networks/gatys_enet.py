"""gatys-enet: the picture itself is optimized, under the encoder of ENet, a segmentation network.

The initial block and stages 1 and 2. Its strided layers see every pixel of a window of four
differently, and a loss alone leaves dots: neighbouring pixels are held together by a term more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.encoders import _enet
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._gatys import GatysNetwork, Weights

# Layer of the loss → blocks that lead to it.
LAYERS = {
    "initial": ("initial",),
    "stage1_0": ("1_0",),
    "stage1_4": ("1_1", "1_2", "1_3", "1_4"),
    "stage2_0": ("2_0",),
    "stage2_8": tuple(f"2_{position}" for position in range(1, 9)),
}
CONTENT = "stage1_4"
WEIGHTS = Weights(content=1.0, style=(1e4,) * 5, smoothness=200.0)


def network(encoder: _enet.EnetEncoder) -> GatysNetwork:
    """Return the loss network of an encoder."""
    stages = {
        name: nn.Sequential(*(encoder.blocks[block] for block in blocks))
        for name, blocks in LAYERS.items()
    }
    stages["initial"].insert(0, encoder.normalise)
    first, second, third = encoder.widths
    widths = (first, second, second, third, third)
    return GatysNetwork(stages, widths, CONTENT, WEIGHTS, normalized=True)


def build() -> GatysNetwork:
    """Return the network with random weights."""
    return network(_enet.EnetEncoder())


def read(paths: Sequence[Path]) -> GatysNetwork:
    """Return the network with the weights of one file of ENet.

    Raises:
        BadCheckpoint: not one file, or of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"gatys-enet takes one file of ENet, got {len(paths)}")
    return network(_enet.read(paths[0])).normalize()


NETWORK = StyleNetwork(
    name="gatys-enet",
    summary="Optimizes the picture by L-BFGS under ENet's encoder, dilated and asymmetric",
    paper="Gatys et al., CVPR 2016, on Paszke et al., ENet, 2016",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file of ENet with layers initial, b10 to b28 (best_model.pth of CamVid)",
    family="Optimization",
)
