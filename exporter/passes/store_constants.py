"""Store what operations make of numbers alone: identity matrices, steps, grids of positions.

    eye(n), linspace(a, b, n), arange(n)·s → a weight

TFLite's converter leaves such an operation to a kernel that LiteRT does not have.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight

# Larger ones, such as a map of zeros, cost more to store than to make.
MOST_ELEMENTS = 2**14


def rewrite(module: GraphModule) -> Outcome:
    """Put a weight in the place of each such operation."""
    applied = 0
    for node in list(module.graph.nodes):
        value = node.meta.get("val")
        if node.op != "call_function" or node.all_input_nodes or not isinstance(value, Tensor):
            continue
        if not value.is_floating_point() or value.numel() > MOST_ELEMENTS:
            continue
        with torch.no_grad():
            stored = node.target(*node.args, **node.kwargs)  # pyright: ignore
        node.replace_all_uses_with(add_weight(module, node, stored))
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied)


PASS = Pass("store-constants", 0, rewrite)
