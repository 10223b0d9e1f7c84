"""Multiply-accumulates of an ONNX model by node, and the file's nodes behind executed ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import onnx
from onnx import shape_inference

INTEGER_OPS = ("QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "QGemm")
# Metadata key of a convolution that computes several picture columns at once: their number.
COLUMNS = "styleexport.columns"


def macs_by_node(model: onnx.ModelProto) -> dict[str, int]:
    """Return node name → MACs of convolutions and matrix products; 0 for dynamic sizes.

    A convolution multiplies each output element by in·kh·kw weights, a transposed one each input
    element by out·kh·kw. Weights that are zero only because a convolution computes several columns
    at once do not count.
    """
    graph = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {item.name: list(item.dims) for item in graph.initializer}
    macs: dict[str, int] = {}
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        weight = shapes.get(node.input[1], [0])
        data = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
        share = math.prod(weight[1:]) if "Conv" in node.op_type else weight[0]
        wide = math.prod(shapes.get(data, [0])) * share
        macs[node.name] = wide * (weight[-1] - _columns(node) + 1) // max(weight[-1], 1)
    return macs


def _columns(node: onnx.NodeProto) -> int:
    """Return the number of columns a node computes at once, each with its part of the weight."""
    return next((int(item.value) for item in node.metadata_props if item.key == COLUMNS), 1)


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
