"""fp16 ONNX files: what computes in half precision, and where casts are."""

from __future__ import annotations

from onnx import TensorProto, helper

from styleexport.exporter.targets.onnx.fp16 import half_precision


def test_a_clip_has_the_type_of_what_it_limits():
    """An activation needs no cast; what limits a statistic, and the picture, are in float32."""
    float32 = TensorProto.FLOAT
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"]),
        helper.make_node("Clip", ["sum", "low", "high"], ["active"]),
        helper.make_node("ReduceMean", ["active"], ["mean"]),
        helper.make_node("Clip", ["mean", "low", "high"], ["limited"]),
        helper.make_node("Mul", ["active", "limited"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["y"]),
    ]
    bounds = [helper.make_tensor(name, float32, (), [v]) for name, v in (("low", 0), ("high", 6))]
    x, y = (helper.make_tensor_value_info(name, float32, (1, 3, 4, 4)) for name in "xy")
    model = helper.make_model(helper.make_graph(nodes, "clips", [x], [y], bounds))
    half_precision(model)
    clips = [node for node in model.graph.node if node.op_type == "Clip"]
    assert [node.input[1] for node in clips] == ["low_fp16", "low", "low"]
    assert [node.op_type for node in model.graph.node].count("Cast") == 4
