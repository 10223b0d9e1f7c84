"""One pass of a split, written as a graph of a window with the tile's part of the statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch.fx import Graph as Nodes
from torch.fx import GraphModule, Node

from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.graph.modules import copied
from styleexport.exporter.rewrites.half_range import scale_variance
from styleexport.exporter.tiling.analysis import TilingAnalysis
from styleexport.exporter.tiling.field import Ends, Field, shape_of
from styleexport.exporter.tiling.geometry import fields_of
from styleexport.exporter.tiling.statistics import Statistic
from styleexport.exporter.tiling.tile_statistics import TileStatistics

aten = torch.ops.aten
# Nodes by which a pass and its captured graph are matched.
KEPT = ("placeholder", "call_function")
GETITEM = "<built-in function getitem>"


@dataclass(frozen=True)
class StoredMap:
    """A map that one pass gives and later ones read.

    Attributes:
        name: name of the tensor in files.
        node: node of the whole graph.
        stride: pixels of the picture from one element to the next.
    """

    name: str
    node: Node
    stride: Fraction

    @property
    def fact(self) -> TensorFact:
        """Fact of the tensor."""
        shape = shape_of(self.node)
        return TensorFact(name=self.name, kind="map", shape=shape, dtype="float32", layout="NCHW")


@dataclass(frozen=True)
class TilePass:
    """One pass.

    Attributes:
        graph: graph of a window.
        rows: pixels at the top and at the bottom of a window that only lead to its tile.
        columns: pixels at the left and at the right likewise.
        maps: maps that it gives.
        statistics: statistics that its tiles contribute to.
        names: node of the whole graph → node of this one.
    """

    graph: Graph
    rows: Ends
    columns: Ends
    maps: tuple[StoredMap, ...]
    statistics: tuple[Statistic, ...]
    names: Mapping[str, str]


class PassWriter:
    """The steps of writing one pass.

    Args:
        analysis: of the whole graph.
        maps: maps that passes store.
        number: number of the pass.
        inside: nodes that it computes or reads.
        styled: nodes of the whole graph that depend on the style.
    """

    def __init__(
        self,
        analysis: TilingAnalysis,
        maps: Sequence[StoredMap],
        number: int,
        inside: set[Node],
        styled: set[Node],
    ) -> None:
        self.analysis, self.inside, self.number = analysis, inside, number
        self.given = [item for item in maps if analysis.levels[item.node] == number]
        self.read = [item for item in maps if item.node in inside and item not in self.given]
        self.contributed = analysis.contributed(number)
        self.known = [
            item
            for item in analysis.statistics
            if item not in self.contributed and not inside.isdisjoint(item.nodes)
        ]
        self.last = analysis.levels[analysis.output] == number
        ends = [*(m.node for m in self.given), *(s.source for s in self.contributed)]
        self.renders = self.last or any(node in styled for node in ends)
        self.nodes = Nodes()
        self.variances: list[tuple[Statistic, Node]] = []
        self.copies: dict[Node, Node] = {}
        self.tile = TileStatistics(analysis, self.nodes, self.copies)

    def written(self) -> TilePass:
        """Return the pass."""
        facts = self._inputs()
        nodes, split = self.nodes, self.analysis
        for node in split.module.graph.nodes:
            if node in self.inside and node not in self.copies:
                self.copies[node] = nodes.node_copy(node, lambda n: self.copies[n])
        results = [self.copies[item.node] for item in self.given]
        results += [self.copies[split.output]] if self.last else []
        nodes.output(tuple(results))
        rows, columns = self._halo()
        nodes.erase_node(nodes.output_node())
        outputs = [item.fact for item in self.given]
        outputs += list(split.graph.outputs) if self.last else []
        for item in self.contributed:
            results.append(self.tile.contribution(item))
            outputs.append(_statistic_fact(item))
        nodes.output(tuple(results) if len(results) > 1 else results[0])
        root = copied(split.module)
        for name, value in self.tile.constants.items():
            root.register_buffer(name, value)
        module = GraphModule(root, nodes)
        role = Role.RENDER if self.renders else Role.FEATURES
        for item, copy in self.variances:
            (scaled,) = (n for n in copy.all_input_nodes if n.op == "call_function")
            scale_variance(module, copy, scaled, split.scales[item.source.name])
        module.graph.eliminate_dead_code()
        module.recompile()
        graph = replace(split.graph, role=role, inputs=tuple(facts), outputs=tuple(outputs))
        graph = graph.with_module(module)
        return TilePass(
            graph, rows, columns, tuple(self.given), self.contributed, self._names(graph)
        )

    def _inputs(self) -> list[TensorFact]:
        """Add the inputs; return their facts, in order."""
        split, facts = self.analysis, list[TensorFact]()
        for node, fact in split.inputs.items():
            if node in self.inside and node is split.content:
                self.copies[node] = self._input(fact, node, facts)
        for item in self.read:
            self.copies[item.node] = self._input(item.fact, item.node, facts)
        known = [self._input(_statistic_fact(item), None, facts) for item in self.known]
        for node, fact in split.inputs.items():
            if node in self.inside and node is not split.content:
                self.copies[node] = self._input(fact, node, facts)
        if self.contributed:
            fact = TensorFact(name="region", kind="region", shape=(4,), dtype="float32", layout="N")
            self.tile.region = self._input(fact, None, facts)
        for item, values in zip(self.known, known, strict=True):
            half = item.length // 2 if item.kind == "moments" else item.length
            self._unpack(item, item.means, values, (0, half))
            self._unpack(item, item.variances, values, (half, item.length))
        return facts

    def _unpack(self, item: Statistic, group: Sequence[Node], values: Node, part: Ends) -> None:
        """Put a part of a statistic's values, [1, length], in the place of some nodes."""
        call, scale = self.nodes.call_function, self.analysis.scales.get(item.source.name)
        if group and part != (0, item.length):
            values = call(aten.slice.Tensor, (values, 1, *part))
        for node in group:
            copy = call(aten.view.default, (values, list(shape_of(node))))
            copy.meta["val"] = node.meta["val"]
            if scale is not None:
                power = -1 if node in item.means else -2
                copy = call(aten.mul.Tensor, (copy, self.tile.constant(scale**power)))
                copy.meta["val"] = node.meta["val"]
                self.variances += [(item, copy)] if power == -2 else []
            self.copies[node] = copy

    def _input(self, fact: TensorFact, like: Node | None, facts: list[TensorFact]) -> Node:
        facts.append(fact)
        node = self.nodes.placeholder(fact.name)
        if like is not None:
            node.meta["val"] = like.meta["val"]
        return node

    def _halo(self) -> tuple[Ends, Ends]:
        """Return the pixels that only lead to a tile: above and below, left and right."""
        split = self.analysis
        given = {item.name: Field(item.stride) for item in self.read}
        if split.content in self.inside:
            given["content"] = Field(Fraction(1))
        known = split.reach.measured
        reach = {self.copies[node]: known[node] for node in known if node in self.copies}
        fields, _ = fields_of(self.nodes, given, lambda node, _: reach[node])
        ends = [self.copies[item.node] for item in self.given]
        ends += [self.copies[node] for item in self.contributed for node in item.reads]
        ends += [self.copies[split.output]] if self.last else []
        size = split.graph.size
        rows, columns = (0, 0), (0, 0)
        for node in ends:
            field = fields[node]
            if field.flat:
                more = (0, 0)
            else:
                more = tuple(
                    inner - side / field.stride
                    for inner, side in zip(
                        shape_of(node)[-2:], (size.height, size.width), strict=True
                    )
                )
            rows = self._most(rows, field.rows, field.stride, more[0])
            columns = self._most(columns, field.columns, field.stride, more[1])
        return rows, columns

    def _most(self, known: Ends, ends: Ends, stride: Fraction, more: Fraction | int) -> Ends:
        """Return the larger of two halos, in pixels on the grid.

        Args:
            known: a halo in pixels.
            ends: rows or columns of a map that depend on the window's ends.
            stride: the map's.
            more: by how many elements the map is longer than the window over its stride.
        """
        grid = self.analysis.grid
        first = -(-ends[0] * stride // grid) * grid
        last = max(0, -(-(ends[1] - more) * stride // grid) * grid)
        # Only the last tile ends with its window: it has the elements beyond (see
        # `TileStatistics`).
        last = max(last, grid) if more > 0 else last
        return max(known[0], int(first)), max(known[1], int(last))

    def _names(self, graph: Graph) -> dict[str, str]:
        """Return node of the whole graph → node of the pass as it was captured."""
        made, traced = (
            [n for n in nodes.nodes if n.op in KEPT and operation_of(n) != GETITEM]
            for nodes in (self.nodes, graph.reading.graph)
        )
        if [operation_of(n) for n in made] != [operation_of(n) for n in traced]:
            raise AssertionError("capturing a pass changed its operations")
        names = dict(zip((n.name for n in made), (n.name for n in traced), strict=True))
        return {
            node.name: names[copy.name]
            for node, copy in self.copies.items()
            if copy.name in names and node not in self.analysis.of_statistic
        }


def _statistic_fact(item: Statistic) -> TensorFact:
    return TensorFact(
        name=item.name, kind="statistic", shape=(1, item.length), dtype="float32", layout="NK"
    )
