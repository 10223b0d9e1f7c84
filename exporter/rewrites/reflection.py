"""Pads by lines of the map itself as slices and concatenations.

    pad(x, 1) = [x₁, x₀, x₁, …, xₙ₋₂, xₙ₋₁, xₙ₋₂]  along each axis by reflection,
                [x₀, x₀, x₁, …, xₙ₋₂, xₙ₋₁, xₙ₋₁]  by copies of the edge,

the same numbers bit for bit. Core ML fails to load a reflection pad whose input has open sides
("Error in declaring network", coremltools issue 1438); slices and concatenations load.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch.fx import GraphModule, Node

from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import Outcome, Pass, apply_passes, argument

aten = torch.ops.aten
# Mode of a pad → index of the first line that it adds in front, and behind, from the end.
FIRST_LINES = {"reflect": (1, -2), "replicate": (0, -1)}


def without_reflection_pads(graph: Graph) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the graph without reflection pads, and what was rewritten."""
    return apply_passes(graph, (Pass("slice-reflection-pads", 0, rewrite),))


def rewrite(module: GraphModule, modes: Collection[str] = ("reflect",)) -> Outcome:
    """Write every pad of a feature map by one of some modes as slices around it."""
    pads = [node for node in module.graph.nodes if node.target is aten.pad.default]
    applied, refused = 0, list[str]()
    for node in pads:
        mode = str(argument(node, 2, "mode", "constant"))
        if mode not in modes:
            continue
        x, widths = node.args[:2]
        assert isinstance(x, Node)
        if not isinstance(widths, list | tuple) or not all(isinstance(w, int) for w in widths):
            refused.append(f"{node.name} has widths that depend on the size")
            continue
        with module.graph.inserting_before(node):
            for number, axis in enumerate((3, 2)[: len(widths) // 2]):
                before, after = widths[2 * number : 2 * number + 2]
                x = _extended(module, x, axis, before, after, mode)  # pyright: ignore
        node.replace_all_uses_with(x)
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied, tuple(refused))


def _extended(module: GraphModule, x: Node, axis: int, before: int, after: int, mode: str) -> Node:
    """Return x with lines of its own past its ends along one axis."""
    (near, far), step = FIRST_LINES[mode], int(mode == "reflect")

    def line(index: int) -> Node:
        end = index + 1 if index != -1 else 2**63 - 1
        return module.graph.call_function(aten.slice.Tensor, (x, axis, index, end))

    first = [line(near + step * index) for index in reversed(range(before))]
    last = [line(far - step * index) for index in range(after)]
    if not first and not last:
        return x
    return module.graph.call_function(aten.cat.default, ([*first, x, *last], axis))
