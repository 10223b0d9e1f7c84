"""Small ONNX networks with several styles, chosen by an index or mixed by weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.models.from_onnx.onnx_nets import weight, write

STYLES = 5
TABLES = {"scale": weight(STYLES, 4) + 1, "shift": weight(STYLES, 4, seed=1)}
WEIGHTS = {"w": weight(4, 3, 3, 3), "v": weight(3, 4, 3, 3), "axes": np.array([2, 3])}


def node(op: str, *inputs: str, out: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [out], name=f"{op}_{out}", **attributes)


def conditional(path: Path, select: list[onnx.NodeProto], shape: list[int], integer: bool) -> Path:
    """A network whose instance norm is scaled and shifted by what ``select`` makes of input s."""
    nodes = [
        *select,
        node("Unsqueeze", "a", "axes", out="a4"),
        node("Unsqueeze", "b", "axes", out="b4"),
        node("Conv", "x", "w", out="c", pads=[1] * 4),
        node("ReduceMean", "c", out="m", axes=[2, 3]),
        node("Sub", "c", "m", out="n"),
        node("Mul", "n", "a4", out="p"),
        node("Add", "p", "b4", out="q"),
        node("Relu", "q", out="r"),
        node("Conv", "r", "v", out="t", pads=[1] * 4),
        node("Sigmoid", "t", out="y"),
    ]
    stored = {**WEIGHTS, **TABLES, "flat": np.array([-1])}
    used = {name for item in nodes for name in item.input}
    kept = {k: v for k, v in stored.items() if k in used}
    write(path, nodes, kept, {"x": [1, 3, 32, 40], "s": shape})
    if integer:
        model = onnx.load(path)
        model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
        del model.graph.value_info[:]
        onnx.save(model, path)
    return path


GATHER = [node("Gather", n, "i", out=o) for n, o in (("scale", "a"), ("shift", "b"))]
PRODUCT = [node("MatMul", "i", n, out=o) for n, o in (("scale", "a"), ("shift", "b"))]
KINDS = {
    "index": ([node("Identity", "s", out="i"), *GATHER], [1], True),
    "scalar": ([node("Reshape", "s", "flat", out="i"), *GATHER], [], True),
    "weights": ([node("Identity", "s", out="i"), *PRODUCT], [1, STYLES], False),
    "weights-row": ([node("Reshape", "s", "row", out="i"), *PRODUCT], [STYLES], False),
}


def own_styles(path: Path, kind: str) -> str:
    """Write a file; return its specification."""
    select, shape, integer = KINDS[kind]
    WEIGHTS["row"] = np.array([1, -1])
    conditional(path, select, shape, integer)
    return f"{path},pixel-range=0..1" + ("" if integer else ",styles=s")
