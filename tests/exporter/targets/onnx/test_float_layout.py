"""Float convolutions to a picture in blocks: the same numbers, the same names."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from styleexport.exporter.targets.onnx.float_layout import block_narrow_convs
from styleexport.runtime_bench.formats._onnx_macs import macs_by_node

FLOAT = onnx.TensorProto.FLOAT


def model(channels: int = 3, kernel: int = 9, sides: tuple[int, int] = (12, 16), **attributes):
    """One convolution with a bias, whose padding keeps the sides."""
    rng = np.random.default_rng(0)
    groups = attributes.get("group", 1)
    weight = rng.standard_normal((channels, 6 // groups, kernel, kernel)).astype(np.float32)
    bias = rng.standard_normal(channels).astype(np.float32)
    pads = [kernel // 2] * 4
    (stride, _), (dilation, _) = (attributes.get(n, [1, 1]) for n in ("strides", "dilations"))
    made = [
        side if isinstance(side, str) else (side - (dilation - 1) * (kernel - 1) - 1) // stride + 1
        for side in sides
    ]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", pads=pads, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 6, *sides])],
        [helper.make_tensor_value_info("y", FLOAT, [1, channels, *made])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    whole.ir_version = 10
    return whole


def blocked(before: onnx.ModelProto) -> onnx.ModelProto:
    after = onnx.ModelProto()
    after.CopyFrom(before)
    block_narrow_convs(after)
    onnx.checker.check_model(after, full_check=True)
    return after


def run(graph: onnx.ModelProto) -> np.ndarray:
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = [side if isinstance(side, int) else 12 for side in session.get_inputs()[0].shape]
    return session.run(None, {"x": np.random.default_rng(1).random(shape).astype(np.float32)})[0]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kernel", [5, 7, 9])
@pytest.mark.parametrize("sides", [(12, 16), (10, 26)])
def test_the_numbers_are_the_same(channels, kernel, sides):
    before = model(channels, kernel, sides)
    after = blocked(before)
    assert [node.op_type for node in after.graph.node] == ["Conv", "DepthToSpace"]
    assert np.allclose(run(after), run(before), atol=1e-4)
    assert macs_by_node(after) == macs_by_node(before)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 5},
        {"kernel": 3},
        {"sides": (11, 16)},
        {"sides": (12, 15)},
        {"strides": [2, 2]},
        {"dilations": [2, 2]},
        {"group": 3},
        {"sides": ("height", "width")},
    ],
)
def test_others_stay_as_they_are(settings):
    before = model(**settings)
    assert blocked(before) == before
