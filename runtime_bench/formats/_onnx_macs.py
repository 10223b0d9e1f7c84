"""Multiply-accumulates of an ONNX model by node, and the file's nodes behind executed ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import onnx
from onnx import shape_inference

INTEGER_OPS = ("QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "QGemm")
# Metadata key of a convolution that computes a block of pixels at once: its rows and columns.
BLOCK = "styleexport.block"
# Positions of data and weight among the inputs of each operation with multiply-accumulates.
WEIGHED = {
    "Conv": (0, 1), "ConvTranspose": (0, 1), "Gemm": (0, 1), "MatMul": (0, 1),
    "QLinearConv": (0, 3), "ConvInteger": (0, 1), "QLinearMatMul": (0, 3), "MatMulInteger": (0, 1),
}  # fmt: skip


def name_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose nodes have names of their own; those without take their output's."""
    names: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in names:
            node.name = node.output[0]
        names.add(node.name)
    return model


def fed_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that a run must feed; older files list their weights among the inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def weighed_tensors(node: onnx.NodeProto) -> tuple[str, ...]:
    """Return the tensors whose shapes tell the MACs of a node; () of one that has none."""
    if node.op_type not in WEIGHED:
        return ()
    return (*(node.input[place] for place in WEIGHED[node.op_type]), node.output[0])


def macs_by_node(
    model: onnx.ModelProto, known: Mapping[str, list[int]] | None = None
) -> dict[str, int]:
    """Return node name → MACs of convolutions and matrix products; 0 for dynamic sizes.

    A convolution multiplies each output element by in·kh·kw weights, a transposed one each input
    element by out·kh·kw. Weights that are zero only because a convolution computes several columns
    at once do not count.

    Args:
        model: model whose nodes have names.
        known: tensor → shape, where the model leaves it open.
    """
    graph = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {item.name: list(item.dims) for item in graph.initializer} | dict(known or {})
    macs: dict[str, int] = {}
    for node in graph.node:
        if node.op_type in WEIGHED:
            data, weight, output = (shapes.get(name, [0]) for name in weighed_tensors(node))
            macs[node.name] = _node_macs(node, data, weight, output)
    return macs


def _node_macs(node: onnx.NodeProto, data: list[int], weight: list[int], output: list[int]) -> int:
    if "Conv" not in node.op_type:
        transposed = any(item.name == "transA" and item.i for item in node.attribute)
        return math.prod(output) * data[0 if transposed else -1]
    if len(weight) < 3:  # what a tool's own operation makes has no known shape
        return 0
    elements = math.prod(data if node.op_type == "ConvTranspose" else output)
    block = next((item.value for item in node.metadata_props if item.key == BLOCK), "1x1")
    # A kernel of k lines is stored with the n - 1 that a block adds to it.
    kernel = [
        side - (int(lines) - 1) for side, lines in zip(weight[2:], block.split("x"), strict=False)
    ]
    return elements * weight[1] * math.prod(kernel)


def sources(executed: Iterable[str], known: Iterable[str]) -> set[str]:
    """Return the names of the file's nodes behind executed ones: runtimes append suffixes.

    A suffix never begins with a number: numbers distinguish the file's own nodes.

    Args:
        executed: names of executed nodes.
        known: names of the file's nodes.
    """
    names, result = set(known), set[str]()
    for name in executed:
        source = name
        while source not in names and "_" in source:
            source = source.rpartition("_")[0]
        if source in names and not re.match(r"_\d+(_|$)", name.removeprefix(source)):
            result.add(source)
    return result
