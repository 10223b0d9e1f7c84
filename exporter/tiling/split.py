"""A graph split into passes between its statistics, each a graph of a window of the picture.

A statistic is known when every tile has been seen. Pass 0 computes what depends on no statistic;
pass k what depends on those of passes 0 to k - 1. Each pass reads windows of the picture and of
maps that earlier passes stored, takes the statistics so far as inputs, and gives maps and what its
tile contributes to the next statistics; the last one gives the picture.

Maps are stored, rather than computed again from the pixels by every pass, so that no convolution is
computed twice. What is stored is the smallest set: operations other than convolutions and products
of matrices are repeated where their inputs are smaller or stored already. See
`docs/decisions/0022-full-resolution.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.errors import UnsupportedOp
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.tiling.analysis import TilingAnalysis
from styleexport.exporter.tiling.field import INSIDE, shape_of
from styleexport.exporter.tiling.statistics import Statistic
from styleexport.exporter.tiling.tile_pass import PassWriter, StoredMap, TilePass

# What is stored rather than computed again.
COSTLY = frozenset(("conv2d", "conv_transpose2d", "matmul", "bmm", "mm", "linear"))


@dataclass(frozen=True)
class Split:
    """A graph in passes.

    Attributes:
        whole: the graph that was split.
        module: the graph with its statistics written out.
        passes: in order.
        maps: what passes store, in order.
        statistics: statistics, in order.
        grid: windows and tiles begin at multiples of it, in pixels.
        scales: source of a statistic → power of two by which its channels are multiplied.
    """

    whole: Graph
    module: GraphModule
    passes: tuple[TilePass, ...]
    maps: tuple[StoredMap, ...]
    statistics: tuple[Statistic, ...]
    grid: int
    scales: Mapping[str, Tensor]

    def tensors(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return what passes read of each other when one window is the whole picture, by name.

        Args:
            inputs: inputs of the whole graph.
        """
        nodes = {item.node.name for item in self.maps}
        nodes |= {node.name for item in self.statistics for node in item.nodes}
        known = _Keeping(self.module, nodes).values(inputs)
        found = {item.name: known[item.node.name] for item in self.maps}
        for item in self.statistics:
            channels = item.length // 2 if item.kind == "moments" else item.length
            scale = self.scales.get(item.source.name, torch.ones(1)).reshape(1, -1)
            groups = {1: item.means, 2: item.variances} if item.variances else {1: item.means}
            parts = [
                known[group[0].name].reshape(1, -1) * scale**power
                if group
                else torch.zeros(1, channels)
                for power, group in groups.items()
            ]
            found[item.name] = torch.cat(parts, 1)
        return found


class _Keeping(torch.fx.Interpreter):
    """Runs a graph and keeps the values of some nodes."""

    def __init__(self, module: GraphModule, names: set[str]) -> None:
        super().__init__(module)
        self.names = names
        self.kept: dict[str, Tensor] = {}

    def run_node(self, n: Node) -> object:
        value = super().run_node(n)
        if n.name in self.names:
            self.kept[n.name] = value
        return value

    def values(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return node → value."""
        with torch.inference_mode():
            self.run(*inputs)
        return self.kept


def split(graph: Graph, shown: Sequence[Arrays] = ()) -> Split:
    """Return a graph in passes.

    Args:
        graph: a role that paints, at the size of a window.
        shown: inputs that show how large its maps become, for files that compute in float16: their
            moments are those of maps scaled by powers of two, as in `exporter/rewrites/
            half_range.py`. () for moments as they are.

    Raises:
        UnsupportedOp: an operation reads a whole map in a way that cannot be taken out, or the
            window is no multiple of the grid.
    """
    analysis = TilingAnalysis(graph, shown)
    size = graph.size
    if size.height % analysis.grid or size.width % analysis.grid:
        fitting = [
            max(1, side // analysis.grid) * analysis.grid for side in (size.height, size.width)
        ]
        raise UnsupportedOp(
            f"windows of {size} do not fit the network's grid of {analysis.grid} pixels: type "
            f"--size {fitting[0]}x{fitting[1]}"
        )
    count = analysis.levels[analysis.output] + 1
    stored: list[Node] = []
    nodes = [_nodes_of(analysis, number, stored) for number in reversed(range(count))][::-1]
    stored.sort(key=list(analysis.module.graph.nodes).index)
    maps = tuple(
        StoredMap(f"map_{number}", node, analysis.fields[node].stride)
        for number, node in enumerate(stored)
    )
    styled = analysis.styled
    passes = tuple(
        PassWriter(analysis, maps, number, inside, styled).written()
        for number, inside in enumerate(nodes)
    )
    return Split(
        graph, analysis.module, passes, maps, analysis.statistics, analysis.grid, analysis.scales
    )


def grid_of(graph: Graph) -> int:
    """Return the pixels of which windows must be multiples; see `split`."""
    return TilingAnalysis(graph).grid


def _nodes_of(analysis: TilingAnalysis, number: int, stored: list[Node]) -> set[Node]:
    """Return the nodes that a pass computes or reads; adds what it needs to be stored."""
    inside: set[Node] = set()
    pending = analysis.targets(number, stored)
    read: set[Node] = set()
    while pending:
        node = pending.pop()
        if node in inside:
            continue
        inside.add(node)
        if node in analysis.of_statistic or node in read:
            continue
        if node in analysis.fields and analysis.levels[node] < number:
            cut = _cheapest(analysis, node, stored)[1]
            read |= cut
            stored.extend(n for n in cut if n not in stored and n is not analysis.content)
            if node in cut:
                continue
        pending += node.all_input_nodes
    return inside


def _cheapest(
    analysis: TilingAnalysis, node: Node, stored: Sequence[Node]
) -> tuple[int, frozenset[Node]]:
    """Return the fewest values to store so that a node can be computed, and of which nodes."""
    if node is analysis.content or node in stored:
        return 0, frozenset((node,))
    own = math.prod(shape_of(node)), frozenset((node,))
    is_map = len(shape_of(node)) == 4 and not analysis.fields[node].flat
    behind = any(
        analysis.fields[n].flat == INSIDE for n in node.all_input_nodes if n in analysis.fields
    )
    if is_map and (behind or operation_of(node) in COSTLY):
        return own
    cut: frozenset[Node] = frozenset()
    for item in node.all_input_nodes:
        if item in analysis.fields:
            cut |= _cheapest(analysis, item, stored)[1]
    kept = [n for n in cut if n is not analysis.content and n not in stored]
    cost = sum(math.prod(shape_of(n)) for n in kept)
    return own if is_map and cost > own[0] else (cost, cut)
