"""Sets of channels that live and die together, and what the layers keep without some of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from styleexport.models.architecture import KeptChannels


class Joined:
    """Sets of labels that are joined (union-find), some of them pinned."""

    def __init__(self) -> None:
        self._parent = [0]
        self._pinned: set[int] = set()

    def fresh(self, count: int) -> Tensor:
        """Return new labels, [count]."""
        first = len(self._parent)
        self._parent += range(first, first + count)
        return torch.arange(first, first + count, dtype=torch.float64)

    def root(self, label: int) -> int:
        """Return the label that stands for a label's set."""
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

    def join(self, a: Tensor, b: Tensor) -> None:
        """Join labels pairwise; one that meets no label is pinned."""
        for x, y in torch.stack([a.flatten(), b.flatten()], 1).unique(dim=0).long().tolist():
            if x and y:
                self._parent[self.root(x)] = self.root(y)
            else:
                self._pinned.add(x or y)

    def pin(self, shadow: Tensor) -> None:
        """Let labels stay."""
        self._pinned |= {int(label) for label in shadow.unique().tolist()}

    def pinned(self) -> set[int]:
        """Return the roots of the sets that stay."""
        return {self.root(label) for label in self._pinned if label}


@dataclass(frozen=True)
class Coupling:
    """The labels of a network's channels.

    Attributes:
        inputs: of each layer, the set of each channel that it reads.
        outputs: of each layer, the set of each channel that it makes.
        read: layers that mix channels, and are computed by convolution or matrix product.
        pinned: sets that may not be removed.
        code: of a two-image network, the set of each entry of its style code.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    read: frozenset[str]
    pinned: frozenset[int]
    code: tuple[int, ...] = ()

    def kept_without(self, gone: Iterable[int]) -> dict[str, KeptChannels]:
        """Return, of the layers that lose channels with some sets, the channels that they keep."""
        lost = set(gone)
        found: dict[str, KeptChannels] = {}
        for name, outputs in self.outputs.items():
            inputs = self.inputs[name]
            if lost.isdisjoint(outputs) and lost.isdisjoint(inputs):
                continue
            found[name] = KeptChannels(
                tuple(i for i, label in enumerate(inputs) if label not in lost),
                tuple(i for i, label in enumerate(outputs) if label not in lost),
            )
        return found
