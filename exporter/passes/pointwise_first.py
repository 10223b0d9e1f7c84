"""Compute 1x1 convolutions at the lower of two resolutions.

    conv₁ₓ₁ ∘ upsample  =  upsample ∘ conv₁ₓ₁            nearest neighbours, by s: s² times fewer
    avg_pool ∘ conv₁ₓ₁  =  conv₁ₓ₁ ∘ avg_pool            windows of s x s: s² times fewer

A 1x1 convolution treats each pixel alone and is linear, bias included where every window averages
as many pixels: without padding, and without windows that reach over the edge.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, argument
from styleexport.exporter.passes.fold_pointwise import CONV, conv_settings, conv_weights

aten = torch.ops.aten
UPSAMPLE = aten.upsample_nearest2d.vec
POOL = aten.avg_pool2d.default


def rewrite(module: GraphModule) -> Outcome:
    """Swap every such pair whose first operation nothing else reads."""
    applied = 0
    for node in list(module.graph.nodes):
        first = node.args[0] if node.args else None
        if not isinstance(first, Node) or len(first.users) > 1:
            continue
        upsampled = first.target is UPSAMPLE and _is_pointwise(module, node)
        pooled = node.target is POOL and _is_whole(node) and _is_pointwise(module, first)
        if upsampled or pooled:
            _swap(module, first, node)
            applied += 1
    return Outcome(applied)


def _swap(module: GraphModule, first: Node, second: Node) -> None:
    """Run the second of two operations before the first."""
    with module.graph.inserting_before(second):
        early = module.graph.node_copy(second)
        early.update_arg(0, first.args[0])
        late = module.graph.node_copy(first)
        late.update_arg(0, early)
    second.replace_all_uses_with(late)
    module.graph.erase_node(second)
    module.graph.erase_node(first)


def _is_pointwise(module: GraphModule, node: Node) -> bool:
    """Whether a node is a 1x1 convolution of constants."""
    if node.target is not CONV:
        return False
    weight, _ = conv_weights(module, node)
    stride, padding, *_ = conv_settings(node)
    return (
        weight is not None and weight.shape[2:] == (1, 1) and [stride, padding] == [[1, 1], [0, 0]]
    )


def _is_whole(node: Node) -> bool:
    """Whether every window of an average pooling lies inside the map."""
    padding, ceil_mode = argument(node, 3, "padding", [0]), argument(node, 4, "ceil_mode", False)
    return not any(padding) and not ceil_mode  # pyright: ignore[reportArgumentType]


PASS = Pass("pointwise-first", 20, rewrite)
