"""Outputs of more than 8 bits from 8-bit convolutions: a range cut into segments.

A convolution whose output is amplified on its way to the picture needs finer steps than a 255th of
its range. Its channels are computed n times, each for one n-th of the range, [low, low + w), and
the parts are added up in float:

    y = low + Σ_k clamp(y - low - k·w, 0, w),    k = 0 … n-1,    low ≤ y ≤ low + n·w

Each part is a uint8 that saturates at both ends, so that y has 255·n steps; n = 4 gives 10 bits. The
parts are scaled so that w becomes 6: the clamp is a ReLU6, which every format has as a part of the
convolution. The multiplications grow n times, which a convolution to a picture does not notice:
kernels of integer products are 16 channels wide.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.fx import Node

from styleexport.core.recipe import Range
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import add_weight, tensor_of
from styleexport.exporter.quantize.blocks import find_blocks, nodes_by_name

aten = torch.ops.aten
TOP = 6.0
SEGMENT = Range(0.0, TOP)


def segmented(graph: Graph, segments: Mapping[str, int], ranges: Mapping[str, Range]) -> Graph:
    """Return the graph with the outputs of some blocks in segments; the same between their limits.

    Args:
        graph: float32.
        segments: convolution → number of segments.
        ranges: output of a block → its limits.
    """
    if not segments:
        return graph
    module = graph.module()
    by_name = nodes_by_name(module)
    for block in find_blocks(module):
        if block.layer not in segments:
            continue
        count, limits = segments[block.layer], ranges[block.output]
        conv, result = by_name[block.layer], by_name[block.output]
        width = max(limits.high - limits.low, 1e-12) / count
        weight = tensor_of(module, conv.args[1])
        bias = tensor_of(module, conv.args[2]) if len(conv.args) > 2 else None
        assert weight is not None
        shifts = (0.0 if bias is None else bias.double()) - limits.low - torch.zeros(len(weight))
        parts = torch.cat([(shifts - width * k) * TOP / width for k in range(count)])
        rows = torch.cat([weight.double() * (TOP / width)] * count)
        new = (add_weight(module, conv, value.float()) for value in (rows, parts))
        conv.args = (conv.all_input_nodes[0], *new, *conv.args[3:])
        with module.graph.inserting_after(conv):
            clamped = module.graph.call_function(aten.relu6.default, (conv,))
        with module.graph.inserting_after(clamped):
            whole = _sum(clamped, len(weight), count, width / TOP, limits.low)
        readers = [reader for reader in result.users if reader is not clamped]
        for reader in readers:
            reader.replace_input_with(result, whole)
    module.graph.eliminate_dead_code()
    module.recompile()
    return graph.with_module(module)


def _sum(parts: Node, channels: int, count: int, step: float, low: float) -> Node:
    """Return low + step·Σ parts, [N, C, H, W], of parts [N, n·C, H, W]."""
    nodes, place = parts.graph, parts

    def call(operation: object, *arguments: object) -> Node:
        nonlocal place
        with nodes.inserting_after(place):
            place = nodes.call_function(operation, arguments)  # pyright: ignore
        return place

    slices = [
        call(aten.slice.Tensor, parts, 1, k * channels, (k + 1) * channels) for k in range(count)
    ]
    whole = slices[0]
    for part in slices[1:]:
        whole = call(aten.add.Tensor, whole, part)
    return call(aten.add.Tensor, call(aten.mul.Tensor, whole, step), low)
