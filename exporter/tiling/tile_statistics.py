"""A tile's part of the statistics, written as operations of a pass.

The region of a tile in its window is an input, from which 1 at the tile's places of a map and 0
elsewhere is computed. Means over the tile are means of the window's masked map times the number of
places of the window over that of the tile.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import Graph as Nodes
from torch.fx import Node

from styleexport.core.errors import UnsupportedOp
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.tiling.analysis import TilingAnalysis
from styleexport.exporter.tiling.statistics import Statistic

aten = torch.ops.aten


class TileStatistics:
    """Adds to a pass what its tile contributes to statistics.

    Args:
        analysis: of the whole graph.
        nodes: graph of the pass.
        copies: node of the whole graph → node of the pass.

    Attributes:
        region: input that says where the tile lies: top, left, bottom, right, in pixels, [4]; to be
            set before the first contribution.
        constants: name → value of the constants that were added.
    """

    region: Node

    def __init__(self, analysis: TilingAnalysis, nodes: Nodes, copies: dict[Node, Node]) -> None:
        self.analysis, self.nodes, self.copies = analysis, nodes, copies
        self.constants: dict[str, Tensor] = {}

    def contribution(self, item: Statistic) -> Node:
        """Add what the tile contributes to a statistic, [1, length], and return it.

        Raises:
            UnsupportedOp: a product is of one map with itself.
        """
        call = self.nodes.call_function
        if item.kind == "moments":
            return self._moments(item)
        (node,) = item.means
        mask, share = self._mask(item)
        x = self.copies[item.source]
        inputs = {n: self.copies[n] for n in node.all_input_nodes}
        inputs[item.source] = call(aten.mul.Tensor, (x, mask))
        if operation_of(node) in ("matmul", "bmm", "mm") and node.args[0] is node.args[1]:
            raise UnsupportedOp(f"{node.name} multiplies a map by itself")
        value = self.nodes.node_copy(node, lambda n: inputs[n])
        flat = call(aten.view.default, (value, [1, item.length]))
        return call(aten.mul.Tensor, (flat, call(aten.view.default, (share, [1, 1]))))

    def _moments(self, item: Statistic) -> Node:
        """Add means, then centred second moments, of a tile: [1, length]."""
        call, x = self.nodes.call_function, self.copies[item.source]
        mask, share = self._mask(item)
        if (scale := self.analysis.scales.get(item.source.name)) is not None:
            x = call(aten.mul.Tensor, (x, self.constant(scale)))
        means = self._mean(call(aten.mul.Tensor, (x, mask)), share)
        centred = call(aten.mul.Tensor, (call(aten.sub.Tensor, (x, means)), mask))
        moments = self._mean(call(aten.mul.Tensor, (centred, centred)), share)
        flat = [call(aten.flatten.using_ints, (each, 1)) for each in (means, moments)]
        return call(aten.cat.default, (flat, 1))

    def _mean(self, x: Node, share: Node) -> Node:
        """Add a mean over the places of a tile, row by row, so that sums are of one row."""
        call = self.nodes.call_function
        rows = call(aten.mean.dim, (x, [3], True))
        return call(aten.mul.Tensor, (call(aten.mean.dim, (rows, [2], True)), share))

    def _mask(self, item: Statistic) -> tuple[Node, Node]:
        """Return 1 at the tile's places of a map, else 0, and places of a window over the tile's.

        The region is the tile's first and last pixel in the window: top, left, bottom, right. A map
        that is longer than the window over its stride has its further elements in the tile that
        ends with the window.
        """
        split, call = self.analysis, self.nodes.call_function
        field, size, sides = split.fields[item.source], split.graph.size, item.sides
        masks, shares = list[Node](), list[Node]()
        for axis, (length, side) in enumerate(zip(sides, (size.height, size.width), strict=True)):
            begin, end = (self._region(axis + 2 * last) for last in (0, 1))
            pixels = end
            begin, end = (self._times(x, float(1 / field.stride)) for x in (begin, end))
            if more := length - side / field.stride:
                reached = call(aten.clamp.default, (self._plus(pixels, 1.0 - side), 0.0, 1.0))
                end = call(aten.add.Tensor, (end, self._times(reached, float(more))))
            index = torch.arange(length, dtype=torch.float32)
            index = self.constant(index.reshape((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1)))
            after = call(aten.sub.Tensor, (index, begin))
            after = call(aten.clamp.default, (self._plus(after, 1.0), 0.0, 1.0))
            before = call(aten.clamp.default, (call(aten.sub.Tensor, (end, index)), 0.0, 1.0))
            masks.append(call(aten.mul.Tensor, (after, before)))
            count = call(aten.sub.Tensor, (end, begin))
            shares.append(self._times(call(aten.reciprocal.default, (count,)), float(length)))
        mask, share = (call(aten.mul.Tensor, tuple(pair)) for pair in (masks, shares))
        if field.flat:
            shape = [1, 1, -1] if field.flat == 1 else [1, -1, 1]
            mask = call(aten.view.default, (mask, shape))
        return mask, share

    def _region(self, number: int) -> Node:
        call = self.nodes.call_function
        part = call(aten.slice.Tensor, (self.region, 0, number, number + 1))
        return call(aten.view.default, (part, [1, 1, 1, 1]))

    def _times(self, node: Node, factor: float) -> Node:
        return self.nodes.call_function(aten.mul.Tensor, (node, factor))

    def _plus(self, node: Node, value: float) -> Node:
        return self.nodes.call_function(aten.add.Tensor, (node, value))

    def constant(self, value: Tensor) -> Node:
        """Add a constant, and return it."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        node = self.nodes.get_attr(name)
        node.meta["val"] = value
        return node
