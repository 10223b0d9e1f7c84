"""What a file holds, from the file alone."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Role
from styleexport.runtime_bench.formats._format import describe, format_of
from styleexport.runtime_bench.formats._liveness import GraphStep, peak_bytes
from styleexport.runtime_bench.formats._onnx_macs import macs_by_node
from styleexport.runtime_bench.formats._onnx_risks import find_risks


def test_a_tensor_lives_until_its_last_reader():
    chain = [
        GraphStep(("x",), {"a": 10}),
        GraphStep(("a",), {"b": 20}),
        GraphStep(("b",), {"y": 5}),
    ]
    assert peak_bytes(chain, {"x": 3}, ["y"]) == 10 + 20
    skip = [
        GraphStep(("x",), {"a": 10}),
        GraphStep(("a",), {"b": 20}),
        GraphStep(("b", "x"), {"y": 5}),
    ]
    assert peak_bytes(skip, {"x": 3}, ["y"]) == 10 + 20 + 3


def test_inputs_outputs_and_what_nobody_reads():
    assert peak_bytes([], {"x": 3, "z": 4}, ["x"]) == 7
    early = [
        GraphStep(("x",), {"y": 50}),
        GraphStep(("x",), {"a": 10}),
        GraphStep(("a",), {"b": 20}),
    ]
    assert peak_bytes(early, {"x": 3}, ["y", "b"]) == 50 + 10 + 20
    unread = [GraphStep(("x",), {"a": 10, "mask": 99}), GraphStep(("a",), {"y": 5})]
    assert peak_bytes(unread, {"x": 3}, ["y"]) == 3 + 10 + 99
    assert peak_bytes(early, {"x": 3}, ["b"]) == 53


def model(**axes) -> onnx.ModelProto:
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    height = axes.get("height", 5)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Neg", ["c"], ["d"], name="constant"),
        helper.make_node("Mul", ["b", "d"], ["y"], name="mul"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", float_, [1, 3, height, 6])],
        [helper.make_tensor_value_info("y", float_, [1, 8, height, 6])],
        [
            onnx.numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "w"),
            onnx.numpy_helper.from_array(np.ones(1, np.float32), "c"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 10
    return made


def test_an_onnx_file_is_described(tmp_path):
    path = tmp_path / "x.onnx"
    onnx.save(model(), path)
    found = describe(path)
    assert (found.format, found.version) == ("ONNX", "opset 18")
    assert found.size_bytes == path.stat().st_size
    assert found.macs == 8 * 5 * 6 * 3 * 9
    assert found.int8_mac_share == 0
    assert found.inputs == ("x: float32 [1, 3, 5, 6]",)
    assert found.outputs == ("y: float32 [1, 8, 5, 6]",)
    assert found.ops == {"Conv": 1, "Relu": 1, "Neg": 1, "Mul": 1}
    assert found.bytes_by_dtype == {"float32": (8 * 27 + 1) * 4}
    # Two maps of eight channels; what is made of weights alone takes none.
    assert found.peak_activation_bytes == 2 * 8 * 5 * 6 * 4


def test_open_sides_have_no_peak(tmp_path):
    onnx.save(model(height="height"), tmp_path / "x.onnx")
    found = describe(tmp_path / "x.onnx")
    assert found.peak_activation_bytes is None
    assert found.inputs == ("x: float32 [1, 3, height, 6]",)


def test_an_int8_file_counts_its_integer_macs(int8_artifact):
    for fact in read_manifest(int8_artifact).files:
        found = describe(int8_artifact / fact.path)
        assert found.int8_mac_share == fact.int8_mac_share == 1.0
        assert found.macs == fact.macs
        assert found.bytes_by_dtype["int8"] > 0.9 * fact.parameters
        assert found.ops == fact.ops


def test_the_manifest_has_what_the_file_says(artifact):
    for fact in read_manifest(artifact).files:
        found = describe(artifact / fact.path)
        assert fact.peak_activation_bytes == found.peak_activation_bytes
        channels = 48 if fact.role is Role.ENCODE else 32
        assert fact.peak_activation_bytes > fact.size.height * fact.size.width * 4 * 3
        assert fact.peak_activation_bytes < fact.size.height * fact.size.width * 4 * channels * 4


def named(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    made = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [x], [], made))


def test_ranges_of_a_few_sizes_and_slow_upsampling_are_risks_of_open_sizes():
    node = onnx.helper.make_node
    quantize = node("QuantizeLinear", ["x", "s", "z"], ["q"])
    resize = node("Resize", ["q", "", "t"], ["r"], name="r")
    fixed, anything = named(quantize, resize), named(quantize, resize)
    anything.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    assert len(list(find_risks(fixed, 18))) == 1
    _, ranges, upsampling = find_risks(anything, 18)
    assert (ranges.where, upsampling.where) == ("x", "Resize r")
    assert "--size" in ranges.remedy


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"nonsense"]
)
def test_a_damaged_file_is_not_described(tmp_path, damage):
    path = tmp_path / "x.onnx"
    onnx.save(model(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadArtifact, match=r"x.onnx is not a whole ONNX file: .*; export the netw"):
        describe(path)


def test_the_suffix_chooses_the_format(tmp_path):
    for suffix in (".aimodel", ".onnx", ".mlpackage", ".tflite"):
        assert format_of(tmp_path / f"x{suffix}").suffix == suffix
    with pytest.raises(
        UsageError,
        match=r"x.png is neither .* ending in \.aimodel, \.mlpackage, \.pte, \.onnx, \.tf",
    ):
        describe(tmp_path / "x.png")


def test_a_convolution_of_weights_that_an_unknown_operation_makes_counts_no_macs():
    whole = model()
    conv = next(node for node in whole.graph.node if node.op_type == "Conv")
    own = onnx.helper.make_node("Own", [conv.input[1]], ["made"], domain="a.tool")
    conv.input[1] = "made"
    whole.graph.node.insert(0, own)
    whole.opset_import.append(onnx.helper.make_opsetid("a.tool", 1))
    assert set(macs_by_node(whole).values()) == {0}
