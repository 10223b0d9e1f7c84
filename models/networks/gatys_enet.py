"""gatys-enet: the picture itself is optimized, under the encoder of ENet, a segmentation network.

The initial block and stages 1 and 2. Its strided layers see every pixel of a window of four
differently, and a loss alone leaves dots: neighbouring pixels are held together by a term more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders import _enet
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._gatys import GatysNetwork, Weights, whole

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


def build(divisor: int = 1) -> GatysNetwork:
    """Return the network with random weights, and with a fraction of the channels."""
    first, second, third = (width // divisor for width in _enet.WIDTHS)
    return network(_enet.EnetEncoder((first, second, third)))


def read(paths: Sequence[Path]) -> GatysNetwork:
    """Return the network with the weights of one file of ENet.

    Raises:
        BadCheckpoint: not one file, or of another network.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"gatys-enet takes one file of ENet, got {len(paths)}")
    tensors = read_tensors(paths[0])
    first = tensors.get("initial_scale")
    divisor = _enet.WIDTHS[0] // first.shape[1] if first is not None else 1
    if (own := whole(lambda: build(divisor), tensors, paths[0])) is not None:
        return own
    return network(_enet.read(paths[0])).normalize()


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return the divisor of a module, as `build` takes it."""
    return {"divisor": _enet.WIDTHS[0] // module.get_buffer("initial_scale").shape[1]}


NETWORK = StyleNetwork(
    name="gatys-enet",
    summary="Optimizes the picture by L-BFGS under ENet's encoder, dilated and asymmetric",
    paper="Gatys et al., CVPR 2016, on Paszke et al., ENet, 2016",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints="one file of ENet with layers initial, b10 to b28 (best_model.pth of CamVid)",
    settings=settings,
    family="Optimization",
)
