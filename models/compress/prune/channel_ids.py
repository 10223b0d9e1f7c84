"""Channel ids carried beside tensors, and the union-find that merges them into groups."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class UnionFind:
    """Disjoint sets of channel ids (1, 2, …; 0 stands for no channel), some of them pinned.

    Ids are float64 tensors, so that any operation that moves values can move them too; they are
    exact up to 2**53.
    """

    def __init__(self) -> None:
        self._parent = [0]
        self._pinned: set[int] = set()

    def new_ids(self, count: int) -> Tensor:
        """Return ids that are not in use, [count]."""
        first = len(self._parent)
        self._parent += range(first, first + count)
        return torch.arange(first, first + count, dtype=torch.float64)

    def root(self, channel: int) -> int:
        """Return the id that represents a channel's set."""
        while self._parent[channel] != channel:
            self._parent[channel] = self._parent[self._parent[channel]]
            channel = self._parent[channel]
        return channel

    def roots(self, ids: Tensor) -> tuple[int, ...]:
        """Return the representative of each id of a tensor, flattened."""
        return tuple(self.root(int(channel)) for channel in ids.flatten().tolist())

    def join(self, a: Tensor, b: Tensor) -> None:
        """Merge the sets of ids pairwise; an id that is paired with none is pinned."""
        for x, y in torch.stack([a.flatten(), b.flatten()], 1).unique(dim=0).long().tolist():
            if x and y:
                self._parent[self.root(x)] = self.root(y)
            else:
                self._pinned.add(x or y)

    def pin(self, ids: Tensor) -> None:
        """Mark ids whose channels must be kept."""
        self._pinned |= {int(channel) for channel in ids.unique().tolist()}

    def pinned(self) -> set[int]:
        """Return the representatives of the sets that must be kept."""
        return {self.root(channel) for channel in self._pinned if channel}


class ChannelIds:
    """The channel ids of each tensor of a run: a tensor of the same shape, an id per element.

    Attributes:
        groups: sets that the ids are merged into.
    """

    def __init__(self) -> None:
        self.groups = UnionFind()
        self._ids: dict[int, Tensor] = {}
        # Tensors stay alive, so that no two of them have one id().
        self._alive: list[Tensor] = []

    def get(self, tensor: Tensor) -> Tensor | None:
        """Return the ids of a tensor's elements; None where it carries no channel."""
        ids = self._ids.get(id(tensor))
        return ids if ids is not None and ids.shape == tensor.shape else None

    def get_or_zeros(self, tensor: Tensor) -> Tensor:
        """Return the ids of a tensor's elements, 0 where it carries no channel."""
        ids = self.get(tensor)
        return torch.zeros(tensor.shape, dtype=torch.float64) if ids is None else ids

    def set(self, tensor: object, ids: Tensor | None) -> None:
        """Give a tensor's elements their ids; what is not a tensor is ignored."""
        if not isinstance(tensor, Tensor):
            return
        self._alive.append(tensor)
        if ids is None or not bool(ids.any()):
            self._ids.pop(id(tensor), None)
        else:
            self._ids[id(tensor)] = ids

    def set_channels(self, tensor: Tensor, ids: Tensor) -> None:
        """Give every element of [N, C, …] the id of its channel, [C]."""
        self.set(tensor, ids.reshape(1, -1, *[1] * (tensor.dim() - 2)).expand(tensor.shape))

    def of_channels(self, tensor: Tensor) -> Tensor:
        """Return one id per channel of [N, C, …], merging ids that share one; 0 for none."""
        ids = self.get(tensor)
        if ids is None:
            return torch.zeros(tensor.shape[1], dtype=torch.float64)
        rows = ids.movedim(1, 0).reshape(tensor.shape[1], -1)
        low, high = rows.amin(1), rows.amax(1)
        for index in (low != high).nonzero().flatten().tolist():
            self.groups.join(rows[index], high[index].expand(rows.shape[1]))
        return high

    def join_vector(self, tensor: object, ids: Tensor) -> None:
        """Merge the ids of a bias or statistic [C] with those of the channels it applies to."""
        if isinstance(tensor, Tensor):
            own = self.get(tensor)
            self.groups.join(torch.zeros_like(ids) if own is None else own, ids)

    def pin(self, tensors: Iterable[Tensor]) -> None:
        """Pin all channels that tensors carry."""
        for tensor in tensors:
            if (ids := self.get(tensor)) is not None:
                self.groups.pin(ids)

    def join_broadcast(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the ids of an element-wise operation on tensors with ids ``a`` and ``b``.

        A tensor with one value for many channels of the other (a gate, a mask) is pinned: none of
        its own channels can be removed with theirs.
        """
        if _broadcasts_over(b, a):
            self.groups.pin(b)
            b = torch.zeros_like(b)
        elif _broadcasts_over(a, b):
            self.groups.pin(a)
            a = torch.zeros_like(a)
        else:
            self.groups.join(*torch.broadcast_tensors(a, b))
        return torch.maximum(a, b)


def _broadcasts_over(a: Tensor, b: Tensor) -> bool:
    """Whether ``a`` has one value along every axis on which ids of ``b`` differ."""
    if not bool(b.any()):
        return False
    many = [d for d in range(b.dim()) if b.shape[d] > 1 and bool((b != b.narrow(d, 0, 1)).any())]
    return all(a.shape[d] == 1 for d in many) and (bool(many) or not bool(a.any()))
