"""Sums and products of matrices in the forms that XNNPACK takes, which averages height and width.

A sum or mean over the channels of a map is a convolution 1x1 to one channel, with weights of 1 or
1/C. One over the last axes is a mean over height and width of a view [1, outer, inner, 1], times
the number of its elements where it is a sum. A product of two computed matrices is one of batches
of one matrix, a concatenation of one tensor is that tensor, and axes are added by a reshape.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import captured_shape, operation_of
from styleexport.exporter.graph.rewrite import Outcome, add_weight, argument
from styleexport.exporter.rewrites.spatial_means import is_spatial_mean

aten = torch.ops.aten
SUMS, MEANS = (aten.sum.dim_IntList,), (aten.mean.dim,)


def spread_sums(module: GraphModule) -> Outcome:
    """Write sums and means over channels or over the last axes as XNNPACK has them."""
    applied = 0
    for node in [x for x in module.graph.nodes if x.target in (*SUMS, *MEANS)]:
        x, value = node.args[0], node.meta.get("val")
        if is_spatial_mean(node) or not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        shape = captured_shape(x.meta["val"])
        axes = _axes(node, len(shape))
        if len(shape) == 4 and axes == [1]:
            new = _over_channels(module, node, x)
        elif axes == list(range(len(shape) - len(axes), len(shape))):
            new = _over_last(module, node, x, math.prod(shape[axes[0] :]))
        else:
            continue
        node.replace_all_uses_with(new)
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied)


def _axes(node: Node, rank: int) -> list[int]:
    """Return the axes that a node reduces, in order; all where it names none."""
    axes = argument(node, 1, "dim") or list(range(rank))
    return sorted(axis % rank for axis in (axes if isinstance(axes, list | tuple) else [axes]))  # pyright: ignore


def _over_channels(module: GraphModule, node: Node, x: Node) -> Node:
    channels = captured_shape(x.meta["val"])[1]
    share = 1.0 if node.target in SUMS else 1.0 / channels
    held = (*module.parameters(), *module.buffers())  # in float64 where the rewrite is proven
    dtype = next((item.dtype for item in held if item.is_floating_point()), torch.float32)
    weight = add_weight(module, node, torch.full((1, channels, 1, 1), share, dtype=dtype))
    with module.graph.inserting_before(node):
        new = module.graph.call_function(aten.conv2d.default, (x, weight))
    return _viewed(module, node, new)


def _over_last(module: GraphModule, node: Node, x: Node, count: int) -> Node:
    outer = math.prod(captured_shape(x.meta["val"])) // count
    with module.graph.inserting_before(node):
        new = module.graph.call_function(aten.reshape.default, (x, [1, outer, count, 1]))
        new = module.graph.call_function(aten.mean.dim, (new, [2, 3], True))
        if node.target in SUMS:
            new = module.graph.call_function(aten.mul.Tensor, (new, float(count)))
    return _viewed(module, node, new)


def _viewed(module: GraphModule, node: Node, new: Node) -> Node:
    """Return a value in the shape of the node that it stands for."""
    shape = list(captured_shape(node.meta["val"]))
    with module.graph.inserting_before(node):
        new = module.graph.call_function(aten.reshape.default, (new, shape))
    new.meta.update(node.meta)
    return new


def multiply_batches(module: GraphModule) -> Outcome:
    """Write products of matrices as products of batches; others repeat them first."""
    applied = 0
    for node in [x for x in module.graph.nodes if operation_of(x) in ("matmul", "mm")]:
        parts = [item for item in node.args if isinstance(item, Node)]
        shapes = [captured_shape(item.meta["val"]) for item in parts]
        ranks = [len(shape) for shape in shapes]
        if ranks == [3, 3] and shapes[0][0] == shapes[1][0]:
            node.target = aten.bmm.default
        elif ranks == [2, 2] and not any(item.op == "get_attr" for item in parts):
            with module.graph.inserting_before(node):
                batches = tuple(
                    module.graph.call_function(aten.reshape.default, (item, [1, *shape]))
                    for item, shape in zip(parts, shapes, strict=True)
                )
                new = module.graph.call_function(aten.bmm.default, batches)
            node.replace_all_uses_with(_viewed(module, node, new))
            module.graph.erase_node(node)
        else:
            continue
        applied += 1
    return Outcome(applied)


def drop_single_cats(module: GraphModule) -> Outcome:
    """Drop concatenations of one tensor."""
    found = [x for x in module.graph.nodes if operation_of(x) == "cat" and len(x.args[0]) == 1]
    for node in found:
        node.replace_all_uses_with(node.args[0][0])
        module.graph.erase_node(node)
    return Outcome(len(found))


def reshape_axes(module: GraphModule) -> Outcome:
    """Write axes that are added or dropped as reshapes: XNNPACK adds the last axis alone."""
    found = [x for x in module.graph.nodes if operation_of(x) in ("squeeze", "unsqueeze")]
    for node in found:
        assert isinstance(node.args[0], Node)
        node.replace_all_uses_with(_viewed(module, node, node.args[0]))
        module.graph.erase_node(node)
    return Outcome(len(found))
