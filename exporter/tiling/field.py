"""What is known of a feature map in a window of the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import Tensor
from torch.fx import Node

from styleexport.core.errors import UnsupportedOp
from styleexport.exporter.graph.graph import operation_of

Ends = tuple[int, int]
# See `Field.flat`.
INSIDE = 3


@dataclass(frozen=True)
class Field:
    """What is known of a map.

    Attributes:
        stride: pixels of the picture from one element to the next.
        rows: number of rows at the top and at the bottom that depend on the window's ends.
        columns: number of columns at the left and at the right likewise.
        flat: position from the end of the one axis that height and width are flattened to; 0 for
            a map whose last two axes they are; `INSIDE` between operations that are not known.
    """

    stride: Fraction
    rows: Ends = (0, 0)
    columns: Ends = (0, 0)
    flat: int = 0

    def each(self, change: Callable[[Ends, int], Ends]) -> Field:
        """Return the field with both axes changed; ``change`` gets the ends and 0 or 1."""
        return replace(self, rows=change(self.rows, 0), columns=change(self.columns, 1))

    def joined(self, other: Field, name: str) -> Field:
        """Return the field of an operation between elements of one place.

        Raises:
            UnsupportedOp: the maps do not lie over one another.
        """
        if (self.stride, self.flat) != (other.stride, other.flat):
            raise UnsupportedOp(f"{name} combines maps of different resolutions")
        rows = (max(self.rows[0], other.rows[0]), max(self.rows[1], other.rows[1]))
        columns = max(self.columns[0], other.columns[0]), max(self.columns[1], other.columns[1])
        return replace(self, rows=rows, columns=columns)


def shape_of(node: object) -> tuple[int, ...]:
    """Return the shape of a node's tensor; () where it has none."""
    value = node.meta.get("val") if isinstance(node, Node) else None
    return tuple(map(int, value.shape)) if isinstance(value, Tensor) else ()


def sides_of(node: Node) -> tuple[int, int]:
    """Return height and width of a map's tensor."""
    return shape_of(node)[-2], shape_of(node)[-1]


class UnknownOperation(UnsupportedOp):
    """An operation reads a map in a way that is not known here."""


def refusal(node: Node) -> str:
    """Return why a network with a node cannot paint in tiles."""
    return (
        f"{node.name} ({operation_of(node)}) reads a feature map over the whole picture in a way "
        "that cannot be taken out of it: leave out --full"
    )
