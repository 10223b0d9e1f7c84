"""Risks that an ONNX file states: pads and integers off Core ML, sums in fp16, its opset."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from styleexport.core.manifest import RiskFact, read_manifest
from styleexport.core.types import Precision
from styleexport.runtime_bench.formats._format import describe

FLOAT, HALF, BYTES = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


def risks_of(
    tmp_path, nodes, *, dtype: int = FLOAT, shape=(1, 8, 64, 64), opset: int = 18
) -> tuple[RiskFact, ...]:
    """Return the risks of a file that maps x to y."""
    half = helper.tensor_dtype_to_np_dtype(dtype)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, None)],
        [
            numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads"),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(np.ones(8, np.float32).astype(half), "ones"),
            numpy_helper.from_array(np.float32(0.1), "scale"),
            numpy_helper.from_array(np.uint8(3), "zero"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 10
    made = onnx.shape_inference.infer_shapes(made)
    path = tmp_path / "x.onnx"
    onnx.save(made, path)
    return describe(path).risks


def pad(name: str, source: str, target: str, **attributes) -> onnx.NodeProto:
    return helper.make_node("Pad", [source, "pads"], [target], name=name, **attributes)


def test_reflection_pads_are_cut_out_of_core_ml_before_1_26(tmp_path):
    nodes = [
        pad("first", "x", "a", mode="reflect"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        pad("second", "b", "y", mode="reflect"),
    ]
    (risk,) = risks_of(tmp_path, nodes)
    assert risk.where == "Pad first and 1 more"
    assert "leaves reflect pads to the CPU in its default format, and in ML programs" in risk.reason
    assert "ModelFormat=MLProgram" in risk.remedy


def test_other_pads(tmp_path):
    assert risks_of(tmp_path, [pad("p", "x", "y")]) == ()
    assert risks_of(tmp_path, [pad("p", "x", "y", mode="constant")]) == ()
    (risk,) = risks_of(tmp_path, [pad("p", "x", "y", mode="edge")])
    assert "leaves edge pads to the CPU always" in risk.reason
    assert "1.26" not in risk.remedy


def test_integers_are_not_core_mls(tmp_path):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], name="q"),
        pad("pad", "q", "p", mode="reflect"),
        helper.make_node("DequantizeLinear", ["p", "scale", "zero"], ["y"], name="d"),
    ]
    (risk,) = risks_of(tmp_path, nodes)  # the pad is of integers: it is among these
    assert risk.where == "QuantizeLinear q and 1 more"
    assert "has no QuantizeLinear" in risk.reason
    assert "--target coreml" in risk.remedy


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("InstanceNormalization", ["x", "ones", "ones"], ["y"], name="sum"),
        helper.make_node("ReduceMean", ["x", "axes"], ["y"], name="sum", keepdims=1),
        helper.make_node("GlobalAveragePool", ["x"], ["y"], name="sum"),
    ],
)
def test_large_sums_in_fp16_may_overflow_under_webgpu(tmp_path, node):
    (risk,) = risks_of(tmp_path, [node], dtype=HALF, shape=(1, 8, 65, 64))
    assert risk.where == f"{node.op_type} sum"
    assert "under WebGPU" in risk.reason
    assert "sum 4160 values in fp16 here and pass 65504" in risk.reason
    assert "--precision fp16" in risk.remedy
    assert risks_of(tmp_path, [node], dtype=HALF, shape=(1, 8, 63, 64)) == ()
    assert risks_of(tmp_path, [node], dtype=FLOAT, shape=(1, 8, 512, 512)) == ()


def test_sums_of_open_sizes_are_suspect(tmp_path):
    node = helper.make_node("InstanceNormalization", ["x", "ones", "ones"], ["y"], name="norm")
    (risk,) = risks_of(tmp_path, [node], dtype=HALF, shape=(1, 8, "height", "width"))
    assert "sum a picture of any size in fp16" in risk.reason


@pytest.mark.parametrize(
    ("opset", "oldest"),
    [(19, "1.15"), (21, "1.18"), (22, "1.21"), (26, "1.26"), (27, "1.27 or newer")],
)
def test_a_new_opset_needs_a_new_runtime(tmp_path, opset, oldest):
    relu = [helper.make_node("Relu", ["x"], ["y"], name="relu")]
    (risk,) = risks_of(tmp_path, relu, opset=opset)
    assert risk.where == f"opset {opset}"
    assert risk.reason == f"ONNX Runtime before {oldest} refuses the file"
    assert "opset 18" in risk.remedy
    assert risks_of(tmp_path, relu, opset=18) == ()


def test_files_of_an_export_say_them(int8_artifact, artifact):
    for folder in (int8_artifact, artifact):
        for fact in read_manifest(folder).files:
            assert fact.risks == describe(folder / fact.path).risks
            quantized = any("Core ML provider has no" in risk.reason for risk in fact.risks)
            assert quantized is (fact.precision in (Precision.INT8, Precision.INT8_WEIGHTS))
            # What sums over maps stays float32 in our fp16 files.
            assert not any("WebGPU" in risk.reason for risk in fact.risks)
