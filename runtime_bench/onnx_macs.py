"""Multiply-accumulates of an ONNX file, node by node, and where the runtime computes them."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import onnx
import onnxruntime as ort
from onnx import shape_inference

from styleexport.runtime_bench.runners._runner import Arrays

INTEGER_OPS = ("QLinearConv", "ConvInteger", "QLinearMatMul", "MatMulInteger", "QGemm")


def macs_by_node(model: onnx.ModelProto) -> dict[str, int]:
    """Return node name → MACs of convolutions and matrix products; 0 where sizes are open.

    A convolution multiplies each output element by in·kh·kw weights, a transposed one each input
    element by out·kh·kw.
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
        macs[node.name] = math.prod(shapes.get(data, [0])) * share
    return macs


def integer_mac_share(model: onnx.ModelProto, inputs: Arrays) -> float:
    """Return the share (0..1) of a model's MACs that ONNX Runtime computes in integers.

    It is read from the runtime's own profile of one run: what was executed, not what was asked for.
    """
    macs = macs_by_node(model)
    with tempfile.TemporaryDirectory() as folder:
        settings = ort.SessionOptions()
        settings.log_severity_level = 3
        settings.enable_profiling = True
        settings.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    executed = {
        _source(event["name"].removesuffix("_kernel_time"), macs)
        for event in events
        if event.get("cat") == "Node" and event["args"].get("op_name") in INTEGER_OPS
    }
    total = sum(macs.values())
    return sum(macs.get(name, 0) for name in executed) / total if total else 0.0


def _source(executed: str, names: dict[str, int]) -> str:
    """Return the file's node behind an executed one: the runtime appends its own suffixes."""
    while executed not in names and "_" in executed:
        executed = executed.rpartition("_")[0]
    return executed
