"""Channel dependencies: groups of channels that can only be removed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from styleexport.models.architecture import KeptChannels


@dataclass(frozen=True)
class ChannelDependencies:
    """The dependency group of every channel of a network.

    Attributes:
        inputs: group of each input channel, by layer name.
        outputs: group of each output channel, by layer name.
        mixing: names of the layers that mix channels, by convolution or matrix product.
        pinned: groups that must be kept.
        code: group of each entry of the style code; () for a fixed-style network.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    mixing: frozenset[str]
    pinned: frozenset[int]
    code: tuple[int, ...] = ()

    def kept_without(self, groups: Iterable[int]) -> dict[str, KeptChannels]:
        """Return the channels kept by each layer that loses some when groups are removed."""
        removed = set(groups)
        kept: dict[str, KeptChannels] = {}
        for name, outputs in self.outputs.items():
            inputs = self.inputs[name]
            if removed.isdisjoint(outputs) and removed.isdisjoint(inputs):
                continue
            kept[name] = KeptChannels(
                tuple(i for i, group in enumerate(inputs) if group not in removed),
                tuple(i for i, group in enumerate(outputs) if group not in removed),
            )
        return kept
