"""Statistics of a graph: what it computes of whole feature maps, and how tiles add up to it.

    mean(x) and mean((x - mean(x))²)    moments of x: means and centred second moments a channel
    mean(x), Σx, x·yᵀ over all places   mean of a map, or of products of two maps

A tile's moments are those of its own places. Tiles a and b of n_a and n_b places merge into (Chan
et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979)

    δ = μ_b - μ_a      μ = μ_a + δ·n_b/n      M = M_a + M_b + δ²·n_a·n_b/n      n = n_a + n_b

which keeps every digit of float32 however many places there are; all other statistics merge as
their means do. A graph holds numbers of places as constants: n/(n-1) of an unbiased variance, 1/n
or 1/(n-1) of a sum. They are those of a window, n_w. With the picture's n, a statistic enters as

    value · (1 - c/n_w) / (1 - c/n)

where c is 1 if a constant of its readers is of n_w - 1 places, and 0 otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from torch.fx import Node

from styleexport.core.errors import UnsupportedOp
from styleexport.core.types import Size
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.tiling.field import Field, shape_of


@dataclass(frozen=True)
class Statistic:
    """What a graph computes of a whole map.

    Attributes:
        name: name of the tensor in files.
        kind: how tiles merge.
        source: map whose places are counted; of a product, its first factor.
        means: nodes that are the mean (for ``mean``: what the tile computes).
        variances: nodes that are the centred second moment over the number of places.
        correction: 1 where the graph holds constants of n - 1 places, else 0.
        sides: height and width of the map of a window.
        stride: pixels of the picture from one element of the map to the next.
        length: number of values.
    """

    name: str
    kind: Literal["moments", "mean"]
    source: Node
    means: tuple[Node, ...]
    variances: tuple[Node, ...]
    correction: int
    sides: tuple[int, int]
    stride: Fraction
    length: int

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that it stands for."""
        return (*self.means, *self.variances)

    @property
    def reads(self) -> list[Node]:
        """The nodes that it is computed of."""
        return [self.source] if self.kind == "moments" else self.means[0].all_input_nodes


def find_statistics(
    fields: dict[Node, Field], reductions: Sequence[Node], window: Size
) -> tuple[Statistic, ...]:
    """Return the statistics of a graph, in order.

    Args:
        fields: maps of the graph.
        reductions: nodes that reduce a map.
        window: size of the graph's picture.
    """
    variance_of: dict[Node, Node] = {}
    for node in reductions:
        if (x := _varied(node)) is not None:
            variance_of[node] = x
    moments: dict[Node, list[Node]] = {x: [] for x in variance_of.values()}
    for node in reductions:
        if node not in variance_of and operation_of(node) == "mean" and node.args[0] in moments:
            moments[node.args[0]].append(node)  # pyright: ignore
    found: list[Statistic] = []
    taken: set[Node] = set()
    for node in reductions:
        if node in taken:
            continue
        x = variance_of.get(node) or node.args[0]
        assert isinstance(x, Node)
        sides = _sides(x, fields[x], window)
        if x in moments:
            variances = tuple(n for n, of in variance_of.items() if of is x)
            means = tuple(moments[x])
            kind, length = "moments", 2 * shape_of(x)[1]
        else:
            variances, means, kind, length = (), (node,), "mean", math.prod(shape_of(node))
        taken.update((*means, *variances))
        correction = _correction((*means, *variances), math.prod(sides))
        name = f"statistic_{len(found)}"
        found.append(
            Statistic(name, kind, x, means, variances, correction, sides, fields[x].stride, length)
        )
    return tuple(found)


def _varied(node: Node) -> Node | None:
    """Return x of a node that is mean((x - mean(x))²), None of all others."""
    square = node.args[0]
    if operation_of(node) != "mean" or operation_of(square) != "mul":
        return None
    assert isinstance(square, Node)
    centred = square.args[0]
    if centred is not square.args[1] or operation_of(centred) != "sub":
        return None
    assert isinstance(centred, Node)
    x, mean = centred.args[:2]
    if operation_of(mean) != "mean" or not isinstance(mean, Node) or mean.args[0] is not x:
        return None
    return x if isinstance(x, Node) else None


def _sides(x: Node, field: Field, window: Size) -> tuple[int, int]:
    """Return height and width of a map.

    Raises:
        UnsupportedOp: it is flat, and has more or fewer places than the window over its stride.
    """
    if not field.flat:
        return shape_of(x)[-2], shape_of(x)[-1]
    sides = int(window.height / field.stride), int(window.width / field.stride)
    if math.prod(sides) != shape_of(x)[-field.flat]:
        raise UnsupportedOp(f"{x.name} has another number of places than its window has")
    return sides


def _correction(nodes: Sequence[Node], places: int) -> int:
    """Return 1 where a reader multiplies or divides by a number of n - 1 places."""
    for node in nodes:
        for user in node.users:
            if operation_of(user) not in ("mul", "div"):
                continue
            for value in user.args:
                if isinstance(value, int | float) and _is_less_one(abs(float(value)), places):
                    return 1
    return 0


def _is_less_one(value: float, places: int) -> bool:
    if places < 2:
        return False
    known = (places - 1, 1 / (places - 1), places / (places - 1), (places - 1) / places)
    return any(math.isclose(value, item, rel_tol=1e-9) for item in known)
