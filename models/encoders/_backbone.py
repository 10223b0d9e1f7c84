"""ImageNet weights of encoders, under torchvision's key names or, of a VGG, layer names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.encoders._encoder import Encoder
from styleexport.models.encoders._staged import StagedEncoder
from styleexport.models.encoders._vgg import VggEncoder

PREFIX = "features."


def load_stages(
    encoder: StagedEncoder, description: Encoder, tensors: Mapping[str, Tensor], path: Path
) -> StagedEncoder:
    """Load the stages of an encoder, in place, and return it.

    Stages past the last tap may be absent; where they are there, they must be those of the network.
    The classifier is not looked at: it may have any number of classes. Linear layers and norms lack
    the spatial axes that a module of ours may have.

    Args:
        encoder: encoder that receives the weights.
        description: description of the encoder, whose last tap is its end.
        tensors: tensors under torchvision's names, ``features.…``.
        path: checkpoint file, for messages.

    Raises:
        BadCheckpoint: the weights are of another network.
    """
    with torch.device("meta"):
        whole = description.build((description.taps[-1].name,)).features.state_dict()
    own = encoder.features.state_dict()
    renames = {PREFIX + key: key for key in own}
    renamed = {
        key: _with_axes(value, whole.get(key.removeprefix(PREFIX)))
        for key, value in tensors.items()
        if key.startswith(PREFIX)
    }
    past = {PREFIX + key: value.shape for key, value in whole.items() if key not in own}
    used = {key: value for key, value in renamed.items() if past.get(key) != value.shape}
    if not renames.keys() & used.keys():
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: missing {next(iter(renames))}, found "
            f"{next(iter(tensors))}; expected {description.checkpoints}"
        )
    load_into(
        encoder.features,
        used,
        path,
        renamed=renames,
        advice=f"{description.name} takes {description.checkpoints}",
    )
    return encoder


def _with_axes(value: Tensor, like: Tensor | None) -> Tensor:
    """Return a tensor with axes of one element behind its own, as many as another has."""
    return value if like is None else value[(..., *[None] * (like.dim() - value.dim()))]


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
