"""A graph's maps and statistics, and the order in which they become known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import Node
from torch.fx.passes.fake_tensor_prop import FakeTensorProp

from styleexport.core.arrays import Arrays
from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.rewrites.half_range import scales_of
from styleexport.exporter.rewrites.spatial_means import expand_norms
from styleexport.exporter.tiling.field import Field
from styleexport.exporter.tiling.geometry import fields_of
from styleexport.exporter.tiling.reach import MeasuredReach
from styleexport.exporter.tiling.statistics import Statistic, find_statistics


class TilingAnalysis:
    """Maps, statistics and levels of a graph that is split.

    Args:
        graph: a role that paints, at the size of a window.
        shown: see `split`.

    Attributes:
        graph: the graph.
        scales: source of a statistic → power of two for each channel, [1, C, 1, 1].
        module: the graph with its statistics written out.
        inputs: node of an input → its fact.
        content: the picture's node.
        output: the painting's node.
        fields: node of a map → what is known of it.
        reach: how far maps reach that are computed by operations the geometry does not know.
        statistics: statistics, in order.
        of_statistic: node → the statistic that it is a part of.

    Raises:
        UnsupportedOp: an operation reads a map in a way that cannot be taken out.
    """

    def __init__(self, graph: Graph, shown: Sequence[Arrays] = ()) -> None:
        self.graph = graph
        self.module = graph.module()
        expand_norms(self.module)
        self.module.recompile()
        examples = example_inputs(graph.inputs, graph.size)
        with torch.no_grad():
            mode = FakeTensorMode(allow_non_fake_inputs=True)
            FakeTensorProp(self.module, mode).propagate(*examples)
        inputs = [node for node in self.module.graph.nodes if node.op == "placeholder"]
        self.inputs = dict(zip(inputs, graph.inputs, strict=True))
        self.content = next(n for n, fact in self.inputs.items() if fact.name == "content")
        whole = Field(Fraction(1))
        self.reach = MeasuredReach(self.module, examples)
        given = {self.content.name: whole}
        self.fields, reductions = fields_of(self.module.graph, given, self.reach)
        self.statistics = find_statistics(self.fields, reductions, graph.size)
        self.of_statistic = {n: item for item in self.statistics for n in item.nodes}
        sources = {item.source.name for item in self.statistics if item.kind == "moments"}
        scales = scales_of(graph, self.module, sources, shown) if shown else {}
        self.scales = {name: scale.float() for name, scale in scales.items()}
        (self.output,) = self.module.graph.output_node().all_input_nodes

    @cached_property
    def levels(self) -> dict[Node, int]:
        """Node → the number of rounds of statistics that it depends on."""
        levels: dict[Node, int] = {}
        for node in self.module.graph.nodes:
            if (item := self.of_statistic.get(node)) is not None:
                levels[node] = 1 + max(levels[n] for n in item.reads)
            else:
                levels[node] = max((levels[n] for n in node.all_input_nodes), default=0)
        return levels

    @cached_property
    def grid(self) -> int:
        """The least common multiple of the strides, in pixels."""
        return math.lcm(*(field.stride.numerator for field in self.fields.values()))

    @property
    def styled(self) -> set[Node]:
        """The nodes that depend on an input beside the picture."""
        found: set[Node] = set()
        for node in self.module.graph.nodes:
            given = node in self.inputs and node is not self.content
            if given or not found.isdisjoint(node.all_input_nodes):
                found.add(node)
        return found

    def contributed(self, number: int) -> tuple[Statistic, ...]:
        """Return the statistics that a pass contributes to."""
        return tuple(s for s in self.statistics if self.levels[s.nodes[0]] == number + 1)

    def targets(self, number: int, stored: Sequence[Node]) -> list[Node]:
        """Return what a pass is to compute."""
        found = [n for n in stored if self.levels[n] == number]
        for item in self.contributed(number):
            found += item.reads
        return [*found, self.output] if self.levels[self.output] == number else found
