"""Symmetric pruning: an encoder and the decoder that mirrors it lose the same number of channels.

Mirrored layers (`mirrors`) are cut to the widths of a layout, and each keeps its own filters of the
largest importance: by default their L2 norm, ‖W_c‖₂ over inputs and window (Li et al., Pruning
Filters for Efficient ConvNets, ICLR 2017). Where several layers compute the same channel, such as
in a residual sum, the importances of their filters are added. The painting changes: prune a little,
train, and prune again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.modules.conv import _ConvTransposeNd  # pyright: ignore[reportPrivateUsage]

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.models.architecture import KeptChannels, Layer, layers
from styleexport.models.compress.prune.channels import dependencies_of, remove_channels
from styleexport.models.compress.prune.criteria import DEFAULT, Criterion, find_criterion
from styleexport.models.compress.prune.dependencies import ChannelDependencies
from styleexport.models.compress.prune.mirrors import LayerPair, MirroredLayer, mirrored_layers
from styleexport.models.compress.prune.reconstruct import Calibration, reconstruct_weights
from styleexport.models.network import LoadedNetwork

PICTURE_CHANNELS = 3
# 3,64,64,128,128,140,153,153,153,261 for VGG-19; VGG-16 has no fourth layer in its third block.
PUBLISHED = {
    "conv1_1": 64,
    "conv1_2": 64,
    "conv2_1": 128,
    "conv2_2": 128,
    "conv3_1": 140,
    "conv3_2": 153,
    "conv3_3": 153,
    "conv3_4": 153,
    "conv4_1": 261,
}


@dataclass(frozen=True)
class PruneConfig:
    """Settings of symmetric pruning that do not depend on the layout.

    Attributes:
        pairs: mirrored layers as the user names them; () for those of a known network.
        criterion: name of the importance of filters, as `find_criterion` takes it.
        calibration: pictures that layers which lost inputs are reconstructed on; None to skip that.
    """

    pairs: tuple[LayerPair, ...] = ()
    criterion: str = DEFAULT
    calibration: Calibration | None = None


@dataclass(frozen=True)
class PrunedNetwork:
    """A network cut to a layout.

    Attributes:
        network: network with the channels that were kept.
        kept: channels kept by each layer that lost some.
        removed: number of dependency groups removed.
    """

    network: LoadedNetwork
    kept: dict[str, KeptChannels]
    removed: int


@dataclass(frozen=True)
class ChannelRanking:
    """A network with its channels ranked, to be cut to any layout.

    Attributes:
        network: network before the cut.
        config: settings of the pruning.
        layers: mirrored layers that are cut.
        dependencies: groups of the network's channels.
        importance: importance of each output channel of each of the layers, by layer name.
    """

    network: LoadedNetwork
    config: PruneConfig
    layers: tuple[MirroredLayer, ...]
    dependencies: ChannelDependencies
    importance: Mapping[str, list[float]]

    @classmethod
    def of(cls, network: LoadedNetwork, config: PruneConfig) -> ChannelRanking:
        """Return the ranking of a network's channels.

        Raises:
            UsageError: its layers are not mirrored, a pair does not fit, or no such criterion.
        """
        criterion = find_criterion(config.criterion)
        dependencies = dependencies_of(network)
        mirrored = mirrored_layers(network, dependencies, config.pairs)
        importance = importance_of(network, dependencies, mirrored, criterion)
        return cls(network, config, mirrored, dependencies, importance)

    @property
    def widths(self) -> tuple[int, ...]:
        """Present number of channels of each layer."""
        return tuple(layer.width for layer in self.layers)

    def removed_groups(self, layout: Sequence[int]) -> set[int]:
        """Return the dependency groups to remove so that the layers get a layout's widths."""
        removed: set[int] = set()
        for layer, width in zip(self.layers, layout, strict=True):
            for name in layer.names:
                order = torch.tensor(self.importance[name]).argsort(stable=True)
                least = order[: layer.width - width].tolist()
                removed |= {self.dependencies.outputs[name][channel] for channel in least}
        return removed

    def cut(self, layout: Sequence[int]) -> PrunedNetwork:
        """Return the network cut to a layout, the remaining weights unchanged."""
        removed = self.removed_groups(layout)
        kept = self.dependencies.kept_without(removed)
        return PrunedNetwork(remove_channels(self.network, kept), kept, len(removed))

    def prune(self, layout: Sequence[int], progress: Progress) -> PrunedNetwork:
        """Return the network cut to a layout, its weights reconstructed if the config says so."""
        pruned = self.cut(layout)
        calibration = self.config.calibration
        if calibration is None or not pruned.kept:
            return pruned
        network = reconstruct_weights(
            self.network, pruned.network, pruned.kept, calibration, progress
        )
        return replace(pruned, network=network)


def importance_of(
    network: LoadedNetwork,
    dependencies: ChannelDependencies,
    mirrored: Sequence[MirroredLayer],
    criterion: Criterion,
) -> dict[str, list[float]]:
    """Return the importance of each output channel of each mirrored layer, by layer name.

    Args:
        network: network with its weights.
        dependencies: groups of the network's channels.
        mirrored: layers to rank.
        criterion: maps a kernel [O, I, h, w] to the importance of its filters, [O].
    """
    present = dict(layers(network.module))
    importance: dict[str, list[float]] = {}
    for name in (name for layer in mirrored for name in layer.names):
        groups = dependencies.outputs[name]
        total = dict.fromkeys(groups, 0.0)
        for other in sorted(dependencies.mixing):
            outputs = dependencies.outputs[other]
            if total.keys().isdisjoint(outputs):
                continue
            figures = criterion(_kernel(present[other])).tolist()
            for group, figure in zip(outputs, figures, strict=True):
                if group in total:
                    total[group] += figure
        importance[name] = [total[group] for group in groups]
    return importance


def _kernel(layer: Layer) -> Tensor:
    """Return a layer's kernel with its filters first, [O, I, h, w]."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.transpose(0, 1) if isinstance(layer, _ConvTransposeNd) else weight


def parse_layout(text: str, layers: Sequence[MirroredLayer]) -> tuple[int, ...]:
    """Return the width of each layer in a layout: ``published``, or ``3,64,…`` in full.

    Raises:
        UsageError: the text is neither, or does not fit the network.
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
    text: str, widths: Sequence[int], layers: Sequence[MirroredLayer], now: str
) -> tuple[int, ...]:
    for width, layer in zip(widths, layers, strict=True):
        if not 1 <= width <= layer.width:
            raise UsageError(
                f"layout {text!r} does not fit: {layer.name} has {layer.width} channels, expected "
                f"1 to {layer.width}, got {width}; {now} is now"
            )
    return tuple(widths)


def layout_of_ratio(ratio: float, layers: Sequence[MirroredLayer]) -> tuple[int, ...]:
    """Return the widths after each late layer (in VGG, from block 3 on) loses a share of channels.

    Raises:
        UsageError: the ratio is not between 0 and 1, or empties a layer.
    """
    if not 0 < ratio < 1:
        raise UsageError(f"--ratio {ratio:g} is out of range: type a share above 0 and below 1")
    widths: list[int] = []
    for layer in layers:
        left = math.floor(layer.width * (1 - ratio) + 0.5) if layer.late else layer.width
        if left < 1:
            raise UsageError(
                f"--ratio {ratio:g} empties {layer.name}, which has {layer.width} channels: type "
                f"--ratio {math.floor(1000 - 1000 / layer.width) / 1000:g} or less"
            )
        widths.append(left)
    return tuple(widths)
