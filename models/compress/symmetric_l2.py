"""Symmetric pruning: an encoder and the decoder that mirrors it lose the same number of channels.

Layer i of a VGG encoder makes features of some width; the layer of the mirrored decoder that makes
features of the same place has the same width. Both go to the width that a layout names, and each
keeps its own filters of the largest L2 norm, ‖W_c‖₂ over inputs and window (Li et al., Pruning
Filters for Efficient ConvNets, ICLR 2017); at the bottleneck both hold the same channels, so the
encoder's filters decide. The picture changes: prune a little, train on, and prune again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.models.compress.architecture import KeptChannels
from styleexport.models.compress.coupling import Coupling
from styleexport.models.compress.zero_channel import coupling_of, without_channels
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._adain import AdainNetwork

METHOD = "symmetric-l2"
PICTURE_CHANNELS = 3
FIRST_BLOCK = 3
# 3,64,64,128,128,140,153,153,153,261 for VGG-19; VGG-16 has no fourth layer in its third block.
PUBLISHED = {
    "conv1_1": 64, "conv1_2": 64, "conv2_1": 128, "conv2_2": 128, "conv3_1": 140, "conv3_2": 153,
    "conv3_3": 153, "conv3_4": 153, "conv4_1": 261,
}  # fmt: skip

Criterion = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Mirrored:
    """A layer of the encoder, and the one of the decoder that makes features of the same place.

    Attributes:
        name: of the encoder's layer as VGG's authors call it, ``conv3_1``.
        encoder: its name in the state dict.
        decoder: the decoder's layer; None at the bottleneck, whose channels are one.
        width: channels now.
    """

    name: str
    encoder: str
    decoder: str | None
    width: int


def l2_norms(weight: Tensor) -> Tensor:
    """Return the L2 norm of each filter of a kernel [O, I, h, w]."""
    return weight.detach().flatten(1).norm(dim=1)


def mirrored_layers(network: LoadedNetwork) -> tuple[Mirrored, ...]:
    """Return the mirrored layers of a network, first to last of the encoder.

    Raises:
        UsageError: its decoder does not mirror its encoder.
    """
    module = network.module
    if not isinstance(module, AdainNetwork):
        raise UsageError(
            f"{network.network.name} has no decoder that mirrors its encoder, which "
            f"{METHOD} needs: adain-vgg19, adain-vgg16 and adain-cd16x have; type --method "
            "zero-channel"
        )
    names = [
        (f"conv{block}_{position}", width)
        for block, widths in enumerate(module.encoder.blocks, 1)
        for position, width in enumerate(widths, 1)
    ]
    back = list(reversed(module.decoder.conv_indices()))
    return tuple(
        Mirrored(
            name=name,
            encoder=f"encoder.features.{index}",
            decoder=f"decoder.layers.{back[place + 1]}" if place + 1 < len(back) else None,
            width=width,
        )
        for place, ((name, width), index) in enumerate(
            zip(names, module.encoder.conv_indices(), strict=True)
        )
    )


def parse_layout(text: str, layers: Sequence[Mirrored]) -> tuple[int, ...]:
    """Return the width of each layer that a layout names: ``published``, or ``3,64,…`` in full.

    Raises:
        UsageError: it is neither, or does not fit the network.
    """
    now = ",".join(map(str, (PICTURE_CHANNELS, *(layer.width for layer in layers))))
    if text == "published":
        return _fitting(text, [PUBLISHED.get(layer.name, 0) for layer in layers], layers, now)
    if not re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", text):
        raise UsageError(f"layout {text!r}: type published, or widths with commas: {now} is now")
    first, *widths = (int(number) for number in text.split(","))
    if first != PICTURE_CHANNELS or len(widths) != len(layers):
        raise UsageError(
            f"layout {text!r} does not fit: expected {PICTURE_CHANNELS} for the picture and "
            f"{len(layers)} widths, got {first} and {len(widths)}; {now} is now"
        )
    return _fitting(text, widths, layers, now)


def _fitting(
    text: str, widths: Sequence[int], layers: Sequence[Mirrored], now: str
) -> tuple[int, ...]:
    for width, layer in zip(widths, layers, strict=True):
        if not 1 <= width <= layer.width:
            raise UsageError(
                f"layout {text!r} does not fit: {layer.name} has {layer.width} channels, expected "
                f"1 to {layer.width}, got {width}; {now} is now"
            )
    return tuple(widths)


def layout_of_ratio(ratio: float, layers: Sequence[Mirrored]) -> tuple[int, ...]:
    """Return the widths that are left when each later layer, from block 3 on, loses a share.

    Raises:
        UsageError: the share is not between 0 and 1, or empties a layer.
    """
    if not 0 < ratio < 1:
        raise UsageError(f"--ratio {ratio:g} is out of range: type a share above 0 and below 1")
    widths: list[int] = []
    for layer in layers:
        later = int(layer.name.removeprefix("conv").split("_")[0]) >= FIRST_BLOCK
        left = math.floor(layer.width * (1 - ratio) + 0.5) if later else layer.width
        if left < 1:
            raise UsageError(
                f"--ratio {ratio:g} empties {layer.name}, which has {layer.width} channels: type "
                f"--ratio {1 - 1 / layer.width:.2g} or less"
            )
        widths.append(left)
    return tuple(widths)


def importance_of(
    network: LoadedNetwork, layers: Sequence[Mirrored], criterion: Criterion = l2_norms
) -> dict[str, list[float]]:
    """Return how important each channel of each mirrored layer is, by its name in the state dict.

    Args:
        network: with its weights.
        layers: of `mirrored_layers`.
        criterion: kernel [O, I, h, w] → one figure a filter.
    """
    found: dict[str, list[float]] = {}
    for layer in layers:
        for name in filter(None, (layer.encoder, layer.decoder)):
            module = network.module.get_submodule(name)
            assert isinstance(module, nn.Conv2d)
            found[name] = criterion(module.weight).tolist()
    return found


def cut_once(
    network: LoadedNetwork, layout: Sequence[int]
) -> tuple[LoadedNetwork, dict[str, KeptChannels], dict[str, list[float]]]:
    """Return the network cut to a layout, what its layers kept, and how important channels were."""
    layers = mirrored_layers(network)
    coupling, _ = coupling_of(network)
    importance = importance_of(network, layers)
    kept = cut_to_layout(coupling, layers, layout, importance)
    return without_channels(network, kept), kept, importance


def cut_to_layout(
    coupling: Coupling,
    layers: Sequence[Mirrored],
    layout: Sequence[int],
    importance: dict[str, list[float]],
) -> dict[str, KeptChannels]:
    """Return what each layer keeps so that the mirrored layers have the widths of a layout."""
    gone: set[int] = set()
    for layer, width in zip(layers, layout, strict=True):
        for name in filter(None, (layer.encoder, layer.decoder)):
            order = torch.tensor(importance[name]).argsort(stable=True)
            least = order[: layer.width - width].tolist()
            gone |= {coupling.outputs[name][channel] for channel in least}
    return coupling.kept_without(gone)
