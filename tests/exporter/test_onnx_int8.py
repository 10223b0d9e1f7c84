"""Which convolutions the static recipe leaves in float."""

from __future__ import annotations

import onnx
import pytest
from onnx import helper

from styleexport.exporter.quantize.onnx_int8 import stretched_convs


def chain(*ops: str) -> onnx.ModelProto:
    names = [f"t{i}" for i in range(len(ops) + 1)]
    nodes = [
        helper.make_node(op, [names[i], "w"], [names[i + 1]], name=f"{op}_{i}")
        for i, op in enumerate(ops)
    ]
    output = helper.make_tensor_value_info(names[-1], onnx.TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(nodes, "g", [], [output]))


@pytest.mark.parametrize(
    ("ops", "kept"),
    [
        (("Conv", "Relu", "Conv", "Clip"), ()),
        (("Conv", "Relu", "Conv", "Tanh", "Mul", "Add", "Clip"), ("Conv_2",)),
        (("Conv", "InstanceNormalization", "Relu", "Conv", "Slice", "Clip"), ()),
        (("Conv", "InstanceNormalization", "Clip"), ("Conv_0",)),
        (("ConvTranspose", "Tanh"), ()),
    ],
)
def test_a_convolution_stretched_into_the_picture_stays_float(ops, kept):
    assert stretched_convs(chain(*ops)) == kept
