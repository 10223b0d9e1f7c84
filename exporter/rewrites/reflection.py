"""Reflection pads as slices and concatenations, for files that take several sizes.

    pad(x, 1) = [x₁, x₀, x₁, …, xₙ₋₂, xₙ₋₁, xₙ₋₂]  along each axis,

the same numbers bit for bit. Core ML fails to load a reflection pad whose input has open sides
("Error in declaring network", coremltools issue 1438); slices and concatenations load.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import Outcome, Pass, apply_passes, argument

aten = torch.ops.aten


def without_reflection_pads(graph: Graph) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the graph without reflection pads, and what was rewritten."""
    return apply_passes(graph, (Pass("slice-reflection-pads", 0, rewrite),))


def rewrite(module: GraphModule) -> Outcome:
    """Write every reflection pad of a feature map as slices around it."""
    pads = [node for node in module.graph.nodes if node.target is aten.pad.default]
    applied, refused = 0, list[str]()
    for node in pads:
        if argument(node, 2, "mode", "constant") != "reflect":
            continue
        x, widths = node.args[:2]
        assert isinstance(x, Node)
        if not isinstance(widths, list | tuple) or not all(isinstance(w, int) for w in widths):
            refused.append(f"{node.name} has widths that depend on the size")
            continue
        with module.graph.inserting_before(node):
            for number, axis in enumerate((3, 2)[: len(widths) // 2]):
                before, after = widths[2 * number : 2 * number + 2]
                x = _mirrored(module, x, axis, before, after)  # pyright: ignore
        node.replace_all_uses_with(x)
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied, tuple(refused))


def _mirrored(module: GraphModule, x: Node, axis: int, before: int, after: int) -> Node:
    """Return x with its first and last lines mirrored past its ends along one axis."""

    def line(index: int) -> Node:
        return module.graph.call_function(aten.slice.Tensor, (x, axis, index, index + 1))

    first = [line(index) for index in range(before, 0, -1)]
    last = [line(-2 - index) for index in range(after)]
    if not first and not last:
        return x
    return module.graph.call_function(aten.cat.default, ([*first, x, *last], axis))
