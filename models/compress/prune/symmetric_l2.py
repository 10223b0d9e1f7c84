"""Symmetric pruning: an encoder and the decoder that mirrors it lose the same number of channels.

Mirrored layers (`mirrors`) go to the width that a layout names, and each keeps its own filters of
the largest importance: by default their L2 norm, ‖W_c‖₂ over inputs and window (Li et al., Pruning
Filters for Efficient ConvNets, ICLR 2017). Where several layers make the same channel, such as by a
residual sum, their filters' figures are added up. The picture changes: prune a little, train on,
and prune again.
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
from styleexport.models.compress.prune.channel_sets import Coupling
from styleexport.models.compress.prune.criteria import DEFAULT, Criterion, find_criterion
from styleexport.models.compress.prune.mirrors import Mirrored, Tie, mirrored_layers
from styleexport.models.compress.prune.reconstruct import Calibration, refit
from styleexport.models.compress.prune.zero_channel import coupling_of, without_channels
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
class Cutting:
    """Which layers are cut together, and by what.

    Attributes:
        ties: the mirrored layers, as a user names them; () for those of a known network.
        criterion: as `find_criterion` takes it.
        calibration: pictures that kernels which lost inputs are chosen anew on; None to leave them.
    """

    ties: tuple[Tie, ...] = ()
    criterion: str = DEFAULT
    calibration: Calibration | None = None


@dataclass(frozen=True)
class SymmetricCut:
    """A network that was cut.

    Attributes:
        network: with the channels that stay.
        kept: of the layers that lost channels, those that they kept.
        removed: how many sets of joined channels went.
    """

    network: LoadedNetwork
    kept: dict[str, KeptChannels]
    removed: int


@dataclass(frozen=True)
class Cutter:
    """A network whose channels are ranked, to be cut to any layout.

    Attributes:
        network: whole.
        layers: those that are cut.
        coupling: of its channels.
        importance: of each channel of each of the layers, by its name in the state dict.
    """

    network: LoadedNetwork
    layers: tuple[Mirrored, ...]
    coupling: Coupling
    importance: Mapping[str, list[float]]

    @classmethod
    def of(cls, network: LoadedNetwork, cutting: Cutting) -> Cutter:
        """Return the cutter of a network.

        Raises:
            UsageError: its layers are not mirrored, a tie does not fit, or no such criterion.
        """
        criterion = find_criterion(cutting.criterion)
        coupling, _ = coupling_of(network)
        mirrored = mirrored_layers(network, coupling, cutting.ties)
        importance = importance_of(network, coupling, mirrored, criterion)
        return cls(network, mirrored, coupling, importance)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each layer now."""
        return tuple(layer.width for layer in self.layers)

    def gone(self, layout: Sequence[int]) -> set[int]:
        """Return the sets of channels that go so that the layers have the widths of a layout."""
        gone: set[int] = set()
        for layer, width in zip(self.layers, layout, strict=True):
            for name in layer.names:
                order = torch.tensor(self.importance[name]).argsort(stable=True)
                least = order[: layer.width - width].tolist()
                gone |= {self.coupling.outputs[name][channel] for channel in least}
        return gone

    def to(self, layout: Sequence[int]) -> SymmetricCut:
        """Return the network cut to a layout."""
        gone = self.gone(layout)
        kept = self.coupling.kept_without(gone)
        return SymmetricCut(without_channels(self.network, kept), kept, len(gone))


def cut_to(
    cutter: Cutter, layout: Sequence[int], cutting: Cutting, progress: Progress
) -> SymmetricCut:
    """Return a network cut to a layout, its kernels chosen anew if the cutting says so."""
    cut = cutter.to(layout)
    if cutting.calibration is None or not cut.kept:
        return cut
    fresh = refit(cutter.network, cut.network, cut.kept, cutting.calibration, progress)
    return replace(cut, network=fresh)


def importance_of(
    network: LoadedNetwork, coupling: Coupling, mirrored: Sequence[Mirrored], criterion: Criterion
) -> dict[str, list[float]]:
    """Return how important each channel of each mirrored layer is, by its name in the state dict.

    Args:
        network: with its weights.
        coupling: of its channels.
        mirrored: of `mirrored_layers`.
        criterion: kernel [O, I, h, w] → one figure a filter.
    """
    present = dict(layers(network.module))
    found: dict[str, list[float]] = {}
    for name in (name for layer in mirrored for name in layer.names):
        labels = coupling.outputs[name]
        total = dict.fromkeys(labels, 0.0)
        for maker in sorted(coupling.read):
            made = coupling.outputs[maker]
            if total.keys().isdisjoint(made):
                continue
            figures = criterion(_kernel(present[maker])).tolist()
            for label, figure in zip(made, figures, strict=True):
                if label in total:
                    total[label] += figure
        found[name] = [total[label] for label in labels]
    return found


def _kernel(layer: Layer) -> Tensor:
    """Return a layer's kernel with its filters first, [O, I, h, w]."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.transpose(0, 1) if isinstance(layer, _ConvTransposeNd) else weight


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
    """Return the widths that are left when each late layer (of VGG, from block 3 on) loses a share.

    Raises:
        UsageError: the share is not between 0 and 1, or empties a layer.
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
