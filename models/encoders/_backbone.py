"""ImageNet weights of a VGG, under torchvision's key names or layer names."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.encoders._vgg import VggEncoder


def torchvision_renames(encoder: VggEncoder, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Return checkpoint key → module key of a VGG under torchvision's names or layer names.

    ``features.0.weight`` is torchvision's name and ``conv1_1.weight`` the layer's; keys past the
    encoder's last layer (and the classifier) are left out.
    """
    positions = iter(encoder.conv_indices())
    renames: dict[str, str] = {}
    layer_names = any(key.startswith("conv1_1.") for key in tensors)
    for number, block in enumerate(encoder.blocks, start=1):
        for position in range(1, len(block) + 1):
            index = next(positions)
            name = f"conv{number}_{position}" if layer_names else f"features.{index}"
            for kind in ("weight", "bias"):
                renames[f"{name}.{kind}"] = f"features.{index}.{kind}"
    return renames


def load_backbone(encoder: VggEncoder, path: Path) -> VggEncoder:
    """Load ImageNet weights into a VGG, in place: torchvision's state dict or a layer-named npz.

    Raises:
        BadCheckpoint: the weights are of another network.
    """
    tensors = read_tensors(path)
    renames = torchvision_renames(encoder, tensors)
    used = {key: value for key, value in tensors.items() if key in renames}
    if not used:
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: missing {next(iter(renames))}, found "
            f"{next(iter(tensors))}; expected torchvision's VGG state dict"
        )
    load_into(
        encoder.features,
        used,
        path,
        renamed={key: name.removeprefix("features.") for key, name in renames.items()},
    )
    return encoder
