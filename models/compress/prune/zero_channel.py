"""Zero-channel pruning: remove channels that are always zero, without changing the painting.

A channel is empty where every convolution and matrix product that reads it reads zeros: behind a
ReLU, the output of a filter that never responds. Its weights add nothing, whatever they are, so it
is removed together with its whole dependency group (`dependencies`): the filter, its bias and
statistics, the weights that read it, its entries in the style code. Nothing is trained. A channel
that is constant and not zero is not empty and is kept.

Emptiness is observed on calibration pictures and cannot be proven for all pictures: channels that
become active on held-out pictures are kept, and the pruned network is proven on those, picture by
picture. In a two-image network only channels of the feature extractor may be removed (the layers
that ``encode`` runs, and what reads them): a decoder sees every photograph in every style, and its
channels become active on pairs that no calibration set holds; so does a channel of the extractor
that is empty only after it has taken on a style's statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress, Size
from styleexport.models.architecture import KeptChannels, has_kernel, layers
from styleexport.models.compress.activation_hooks import ChannelMaxima, LayerInputHook
from styleexport.models.compress.pictures import PictureSet, at_size, extremes, variants
from styleexport.models.compress.prune.channels import (
    dependencies_of,
    to_network,
    trace_input,
)
from styleexport.models.compress.prune.dependencies import ChannelDependencies
from styleexport.models.compress.prune.multiples import rounded_up
from styleexport.models.network import LoadedNetwork, TwoImageModule


@dataclass(frozen=True)
class EmptyChannels:
    """Result of a search for empty channels, in dependency groups.

    Attributes:
        dependencies: groups of the network's channels.
        removed: groups that are empty on all pictures and can be removed.
        reactivated: number of groups that were empty on calibration pictures but not on held-out
            ones.
        kept_empty: number of empty groups that are kept, because an unknown operation reads them
            or because a layer would have no channel left.
        maxima: largest magnitude of each group that is read, over all pictures.
        kept_for_multiple: number of empty groups that are kept so that widths are multiples.
    """

    dependencies: ChannelDependencies
    removed: frozenset[int]
    reactivated: int
    kept_empty: int
    maxima: Mapping[int, float]
    kept_for_multiple: int = 0

    def to_multiple(self, multiple: int) -> EmptyChannels:
        """Return the result with fewer channels removed, so that widths are multiples."""
        removed = rounded_up(self.dependencies, self.removed, multiple)
        count = len(self.removed) - len(removed)
        return replace(self, removed=removed, kept_for_multiple=self.kept_for_multiple + count)

    @property
    def kept(self) -> dict[str, KeptChannels]:
        """Channels kept by each layer that loses some."""
        return self.dependencies.kept_without(self.removed)

    def maxima_by_layer(self) -> dict[str, list[float]]:
        """Return the maximum of each output channel of each layer whose outputs are read."""
        return {
            name: [self.maxima.get(group, 0.0) for group in outputs]
            for name, outputs in self.dependencies.outputs.items()
            if name in self.dependencies.mixing and any(group in self.maxima for group in outputs)
        }


@torch.no_grad()
def find_empty(
    network: LoadedNetwork, pictures: PictureSet, sizes: Sequence[Size], progress: Progress
) -> EmptyChannels:
    """Return the channels of a network that are empty on all pictures.

    Args:
        network: network with its weights.
        pictures: calibration and held-out pictures to observe it on.
        sizes: sizes that the pictures are shown at.
        progress: receives progress lines.

    Raises:
        UsageError: no layer of the network has channels that can be told apart.
    """
    if not any(layers(network.module)):
        raise UsageError(
            f"{network.network.name} has no layers that can be pruned; expected a network built "
            "in PyTorch: a name of `styleexport networks`, or package.module:factory"
        )
    dependencies, noise = dependencies_of(network), trace_input(network)
    first = [v for size in sizes for p in pictures.calibration for v in variants(at_size(p, size))]
    first += extremes(Size(*noise.shape[2:]))
    held_out = [at_size(p, size) for size in sizes for p in pictures.held_out]
    progress(f"watching {len(dependencies.mixing)} layers on {len(first)} pictures and variants")
    maxima = _group_maxima(network, dependencies, first)
    decoded = _decoder_groups(network, dependencies, noise)
    empty = {group for group, largest in maxima.items() if largest == 0} - decoded
    progress(f"{len(empty)} channels are empty; {len(held_out)} held-out pictures")
    again = _group_maxima(network, dependencies, held_out)
    still = {group for group in empty if again[group] == 0}
    removed = without_emptied_layers(dependencies, still - dependencies.pinned)
    return EmptyChannels(
        dependencies,
        removed,
        reactivated=len(empty - still),
        kept_empty=len(still) - len(removed),
        maxima={group: max(largest, again[group]) for group, largest in maxima.items()},
    )


def _group_maxima(
    network: LoadedNetwork, dependencies: ChannelDependencies, pictures: Sequence[Tensor]
) -> dict[int, float]:
    """Return how far each group that is read is from empty; 0 is empty.

    Every picture [1, 3, H, W] is painted in the style of the one before. The figure is the largest
    magnitude at the inputs that read the group; for channels whose statistics are a style code also
    the spread of the code's entries over pictures: statistics of an empty channel never change.
    """
    inputs, module, codes = ChannelMaxima(), network.module, list[Tensor]()
    with LayerInputHook(module, inputs.update):
        for index, picture in enumerate(pictures):
            content = to_network(network, picture)
            if isinstance(module, TwoImageModule):
                codes.append(module.encode(to_network(network, pictures[index - 1])))
                module.transfer(content, codes[-1], torch.ones(1))
            else:
                module(content)
    maxima: dict[int, float] = {}
    for name in dependencies.mixing:
        values = inputs.by_layer[name].tolist()
        for group, value in zip(dependencies.inputs[name], values, strict=True):
            maxima[group] = max(maxima.get(group, 0.0), value)
    if dependencies.code:
        rows = torch.cat(codes)
        spread = (rows.amax(0) - rows.amin(0)).tolist()
        for group, value in zip(dependencies.code, spread, strict=True):
            if group in maxima:
                maxima[group] = max(maxima[group], value)
    return maxima


def _decoder_groups(
    network: LoadedNetwork, dependencies: ChannelDependencies, noise: Tensor
) -> set[int]:
    """Return the groups that include outputs of decoder layers, those that ``encode`` skips."""
    module = network.module
    if not isinstance(module, TwoImageModule):
        return set()
    encoding = ChannelMaxima()
    with LayerInputHook(module, encoding.update):
        module.encode(to_network(network, noise))
    return {
        group
        for name, layer in layers(module)
        if has_kernel(layer) and name not in encoding.by_layer
        for group in dependencies.outputs[name]
    }


def without_emptied_layers(dependencies: ChannelDependencies, empty: set[int]) -> frozenset[int]:
    """Return the empty groups that can be removed so that each layer keeps an input and output."""
    removed = set(empty)
    for channels in (*dependencies.inputs.values(), *dependencies.outputs.values()):
        if removed.issuperset(channels):
            removed.discard(channels[0])
    return frozenset(removed)
