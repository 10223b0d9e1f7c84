"""Store what operations make of numbers or weights alone: identities, steps, sums of kernels.

    eye(n), linspace(a, b, n), arange(n)·s, weight.sum((2, 3)) → a weight

TFLite's converter leaves the former to a kernel that LiteRT does not have; the latter would keep
the weights in float in an int8 file.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.node import map_arg

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, tensor_of

# Larger ones, such as a map of zeros, cost more to store than to make.
MOST_ELEMENTS = 2**14


def rewrite(module: GraphModule) -> Outcome:
    """Put a weight in the place of each such operation."""
    applied = 0
    for node in list(module.graph.nodes):
        value = node.meta.get("val")
        if node.op != "call_function" or not isinstance(value, Tensor):
            continue
        if any(tensor_of(module, source) is None for source in node.all_input_nodes):
            continue
        if not value.is_floating_point() or value.numel() > MOST_ELEMENTS:
            continue
        args, kwargs = map_arg((node.args, node.kwargs), lambda x: tensor_of(module, x))  # pyright: ignore
        with torch.no_grad():
            stored = node.target(*args, **kwargs)  # pyright: ignore
        node.replace_all_uses_with(add_weight(module, node, stored))
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied)


PASS = Pass("store-constants", 0, rewrite)
