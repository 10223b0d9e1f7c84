"""Names that runtimes make of a file's, and the layers behind them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from styleexport.runtime_bench.profiles._onnx_layers import OnnxLayers
from styleexport.runtime_bench.profiles._profiler import TimedOperation

FLOAT = onnx.TensorProto.FLOAT
# Two convolutions, the second followed by what a runtime fuses into it.
LAYERS = {"conv2d": "conv2d", "relu_3": "relu_3", "pad_1": "pad_1"}


@pytest.fixture
def model() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv2d"], name="node_conv2d"),
        helper.make_node("Identity", ["conv2d"], ["pad_1"], name="node_pad_1"),
        helper.make_node("Conv", ["pad_1", "w"], ["hidden"], name="node_conv2d_3"),
        helper.make_node("Relu", ["hidden"], ["relu_3"], name="node_relu_3"),
        helper.make_node("Identity", ["relu_3"], ["y"], name="relu_3_uint8_columns"),
    ]
    weight = numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "w")
    ends = [helper.make_tensor_value_info(name, FLOAT, [1, 2, 4, 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("node_conv2d", "conv2d"),
        ("node_conv2d_token_7", "conv2d"),
        ("conv2d_nchwc", "conv2d"),
        ("node_conv2d/WithoutBiases", "conv2d"),
        ("relu_3_nchwc", "relu_3"),
        ("node_conv2d_3_token_11", "conv2d_3"),
        ("node_pad_1_f32_bf16_node_relu_3", "pad_1"),
        ("conv2d_3_DequantizeLinear_Output/duplicated", "conv2d_3"),
        ("relu_3_uint8_columns", "relu_3"),
        ("conv2d_5", None),  # another layer, and not conv2d
        ("conv2d_5_nchwc", None),
        ("Reorder", None),
        ("", None),
    ],
)
def test_what_a_runtime_appends_is_taken_off(name: str, layer: str | None, model: onnx.ModelProto):
    assert OnnxLayers(model, LAYERS).find([name]) == layer


def test_the_first_name_that_is_known_counts(model: onnx.ModelProto):
    known = OnnxLayers(model, LAYERS)
    assert known.find(["reorder_token_4", "Reorder", "pad_1", "conv2d"]) == "pad_1"


def test_a_fused_convolutions_macs_stand_where_its_output_does(model: onnx.ModelProto):
    rows = (
        TimedOperation("conv2d", "Reorder", (9, 9)),
        TimedOperation("conv2d", "Conv", (50, 50)),
        TimedOperation("pad_1", "Pad", (4, 4)),
        TimedOperation("relu_3", "Conv", (40, 40)),
    )
    found = OnnxLayers(model, LAYERS).with_macs(rows)
    assert [row.macs for row in found] == [0, 2 * 2 * 16, 0, 2 * 2 * 16]


def test_macs_that_nobody_timed_are_left_out(model: onnx.ModelProto):
    found = OnnxLayers(model, LAYERS).with_macs((TimedOperation("else", "Fused", (9,)),))
    assert [row.macs for row in found] == [0]
