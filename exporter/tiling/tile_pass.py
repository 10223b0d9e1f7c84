"""One pass of a split, written as a graph of a window with the tile's part of the statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor
from torch.fx import Graph as Nodes
from torch.fx import GraphModule, Node

from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role
from styleexport.exporter.graph.graph import Graph, copied, operation_of
from styleexport.exporter.rewrites.half_range import scale_variance
from styleexport.exporter.tiling.analysis import TilingAnalysis
from styleexport.exporter.tiling.field import Ends, Field, shape_of
from styleexport.exporter.tiling.geometry import fields_of
from styleexport.exporter.tiling.statistics import Statistic

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
        self.constants: dict[str, Tensor] = {}
        self.variances: list[tuple[Statistic, Node]] = []
        self.copies: dict[Node, Node] = {}

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
            results.append(self._contribution(item))
            outputs.append(_statistic_fact(item))
        nodes.output(tuple(results) if len(results) > 1 else results[0])
        root = copied(split.module)
        for name, value in self.constants.items():
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
            self.region = self._input(fact, None, facts)
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
                copy = call(aten.mul.Tensor, (copy, self._constant(scale**power)))
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
        # Only the last tile ends with its window: it has the elements beyond (see `_mask`).
        last = max(last, grid) if more > 0 else last
        return max(known[0], int(first)), max(known[1], int(last))

    def _contribution(self, item: Statistic) -> Node:
        """Add what the tile contributes to a statistic, [1, length]."""
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
            x = call(aten.mul.Tensor, (x, self._constant(scale)))
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
            index = self._constant(index.reshape((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1)))
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

    def _constant(self, value: Tensor) -> Node:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        node = self.nodes.get_attr(name)
        node.meta["val"] = value
        return node

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
