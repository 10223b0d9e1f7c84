"""Outputs of more than 8 bits from 8-bit convolutions: a range cut into segments.

A convolution whose output is amplified on its way to the picture needs finer steps than a 255th of
its range. Its channels are computed n times, each for one part of the range, from b_k to b_(k+1),
and the parts are added up in float:

    y = b_0 + Σ_k clamp(y - b_k, 0, b_(k+1) - b_k),    k = 0 … n-1,    b_0 ≤ y ≤ b_n

Each part is a uint8 that saturates at both ends, so that y has 255 steps in each; four of one width
give 10 bits, and narrower ones more where values are many. The parts are scaled so that each ends
at 6: the clamp is a ReLU6, which every format has as a part of the convolution. The multiplications
grow n times, which a convolution to a picture does not notice: kernels of integer products are 16
channels wide.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch.fx import GraphModule, Node

from styleexport.core.recipe import Range
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import add_weight, tensor_of
from styleexport.exporter.quantize.blocks import find_blocks, nodes_by_name

aten = torch.ops.aten
TOP = 6.0
SEGMENT = Range(0.0, TOP)


def segmented(
    graph: Graph, segments: Mapping[str, Sequence[float]], ranges: Mapping[str, Range]
) -> tuple[Graph, dict[str, str]]:
    """Return the graph with the outputs of some blocks in segments, and what layers are called now.

    It computes the same between the limits of the outputs.

    Args:
        graph: float32.
        segments: convolution → bounds between the segments, rising, inside the limits.
        ranges: output of a block → its limits.
    """
    names = {name: name for name in graph.layer_names()}
    if not segments:
        return graph, names
    module = graph.module()
    by_name = nodes_by_name(module)
    for block in find_blocks(module):
        if block.layer not in segments:
            continue
        limits = ranges[block.output]
        edges = (limits.low, *segments[block.layer], limits.high)
        conv, result = by_name[block.layer], by_name[block.output]
        widths = [max(b - a, 1e-12) for a, b in itertools.pairwise(edges)]
        weight = tensor_of(module, conv.args[1])
        bias = tensor_of(module, conv.args[2]) if len(conv.args) > 2 else None
        assert weight is not None
        plain = torch.zeros(len(weight), dtype=torch.float64) if bias is None else bias.double()
        parts = torch.cat(
            [(plain - low) * (TOP / width) for low, width in zip(edges, widths, strict=False)]
        )
        rows = torch.cat([weight.double() * (TOP / width) for width in widths])
        new = (add_weight(module, conv, value.float()) for value in (rows, parts))
        conv.args = (conv.all_input_nodes[0], *new, *conv.args[3:])
        with module.graph.inserting_after(conv):
            clamped = module.graph.call_function(aten.relu6.default, (conv,))
        with module.graph.inserting_after(clamped):
            steps = [width / TOP for width in widths]
            whole = _sum(clamped, steps, len(weight), limits.low)
        readers = [reader for reader in result.users if reader is not clamped]
        for reader in readers:
            reader.replace_input_with(result, whole)
        del names[conv.name]
        names[result.name] = whole.name
    module.graph.eliminate_dead_code()
    module.recompile()
    traced = graph.with_module(module)
    # Tracing gives names anew, and keeps the order.
    made, found = (_operations(item) for item in (module, traced.reading))
    anew = dict(zip(made, found, strict=True))
    return traced, {name: anew[inner] for name, inner in names.items() if inner in anew}


def _operations(module: GraphModule) -> list[str]:
    return [node.name for node in module.graph.nodes if node.op == "call_function"]


def _sum(parts: Node, steps: Sequence[float], channels: int, low: float) -> Node:
    """Return low + Σ step_k·part_k, [N, C, H, W], of parts [N, n·C, H, W] and n steps."""
    place = parts

    def call(operation: object, *arguments: object) -> Node:
        nonlocal place
        with parts.graph.inserting_after(place):
            place = parts.graph.call_function(operation, arguments)  # pyright: ignore
        return place

    # A part is cut out before it is scaled: int8 files then scale while they dequantize it.
    scaled = [
        call(
            aten.mul.Tensor,
            call(aten.slice.Tensor, parts, 1, k * channels, (k + 1) * channels),
            step,
        )
        for k, step in enumerate(steps)
    ]
    whole = scaled[0]
    for part in scaled[1:]:
        whole = call(aten.add.Tensor, whole, part)
    return call(aten.add.Tensor, whole, low)
