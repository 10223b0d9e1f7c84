"""What a runtime really executes of a file."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from styleexport.core.errors import BadArtifact
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.execution.runtime_op import RuntimeOp, float_round_trips, reorders
from styleexport.runtime_bench.formats._onnx_macs import sources
from styleexport.runtime_bench.formats._tflite_graph import (
    TfliteGraph,
    TfliteOperation,
    TfliteTensor,
)

FLOAT = onnx.TensorProto.FLOAT


def chain(*kinds: str) -> list[RuntimeOp]:
    return [RuntimeOp(kind, kind, (str(n),), (str(n + 1),)) for n, kind in enumerate(kinds)]


def test_values_that_are_only_moved_between_two_quantizations_make_a_round_trip():
    assert float_round_trips(chain("dequantize", "quantize")) == 1
    assert float_round_trips(chain("dequantize", "data movement", "data movement", "quantize")) == 1
    assert (
        float_round_trips(chain("other", "dequantize", "data movement", "quantize", "other")) == 1
    )


def test_arithmetic_and_the_ends_of_a_network_make_none():
    assert float_round_trips(chain("dequantize", "data movement", "other", "quantize")) == 0
    assert (
        float_round_trips(
            chain("data movement", "quantize", "data movement", "dequantize", "data movement")
        )
        == 0
    )


def test_every_way_into_a_quantization_is_followed():
    arithmetic, moved = chain("dequantize", "other"), RuntimeOp("d", "dequantize", ("q",), ("r",))
    joined = [
        RuntimeOp("c", "data movement", ("2", "r"), ("s",)),
        RuntimeOp("q", "quantize", ("s",), ("t",)),
    ]
    assert float_round_trips([*arithmetic, moved, *joined]) == 1
    assert float_round_trips([*arithmetic, *joined]) == 0


def test_a_transposition_that_moves_no_element_is_none():
    assert reorders((0, 2, 3, 1), (1, 8, 5, 6))
    assert not reorders((0, 2, 3, 1), (1, 8, 1, 1))
    assert not reorders((0, 2, 3, 1), (1, 1, 5, 6))


def test_the_runtimes_suffixes_are_taken_off():
    assert sources(["conv_1_token_7", "conv_token_9", "else"], ["conv", "conv_1"]) == {
        "conv",
        "conv_1",
    }
    assert sources(["conv_5", "conv_5_quant", "conv_1_quant"], ["conv", "conv_1"]) == {"conv_1"}


def quantized(*, pad_in_float: bool, height: int | str = 12) -> onnx.ModelProto:
    """Two integer convolutions with a reflection pad between them, then one in float."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.integers(-90, 90, (4, 4, 3, 3)).astype(np.int8), "w"),
        numpy_helper.from_array(rng.normal(size=(4, 4, 1, 1)).astype(np.float32), "last"),
        numpy_helper.from_array(np.float32(0.02), "s"),
        numpy_helper.from_array(np.uint8(0), "z"),
        numpy_helper.from_array(np.int8(0), "wz"),
        numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads"),
    ]
    names = ["q", "f"] if pad_in_float else ["q"]
    nodes = [
        ("QuantizeLinear", ["x", "s", "z"], "x_q"),
        ("DequantizeLinear", ["x_q", "s", "z"], "x_f"),
        ("DequantizeLinear", ["w", "s", "wz"], "w_f"),
        ("Conv", ["x_f", "w_f"], "a"),
        ("QuantizeLinear", ["a", "s", "z"], "a_q"),
        ("DequantizeLinear", ["a_q", "s", "z"], "a_f"),
        ("Pad", ["a_f" if pad_in_float else "a_q", "pads"], f"p_{names[-1]}"),
        ("QuantizeLinear", ["p_f", "s", "z"], "p_q"),
        ("DequantizeLinear", ["p_q", "s", "z"], "p_d"),
        ("Conv", ["p_d", "w_f"], "b"),
        ("QuantizeLinear", ["b", "s", "z"], "b_q"),
        ("DequantizeLinear", ["b_q", "s", "z"], "b_f"),
        ("Conv", ["b_f", "last"], "y"),
    ]
    made = [
        helper.make_node(
            op, reads, [out], name=f"node_{out}", **({"mode": "reflect"} if op == "Pad" else {})
        )
        for op, reads, out in nodes
        if pad_in_float or not {"p_f", "a_f"} & {*reads, out}
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 4, height, 14])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 4, None, 12])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    return model


@pytest.fixture
def saved(tmp_path):
    def save(model: onnx.ModelProto):
        path = tmp_path / "x.onnx"
        onnx.save(model, path)
        return path

    return save


def test_a_pad_in_float_is_a_round_trip_and_a_pad_on_integers_none(saved):
    float_pad = describe_execution(saved(quantized(pad_in_float=True)))
    integer_pad = describe_execution(saved(quantized(pad_in_float=False)))
    assert float_pad is not None and integer_pad is not None
    assert (float_pad.float_round_trips, integer_pad.float_round_trips) == (1, 0)
    assert (float_pad.quantizes, integer_pad.quantizes) == (2, 1)
    assert (float_pad.dequantizes, integer_pad.dequantizes) == (2, 1)
    assert integer_pad.nodes["QLinearConv"] == 2


def test_convolutions_are_those_of_the_file(saved):
    found = describe_execution(saved(quantized(pad_in_float=False)))
    assert found is not None
    assert found.runtime.startswith("onnxruntime 1.")
    sizes = (10 * 12, 10 * 12, 10 * 12)
    macs = (sizes[0] * 4 * 36, sizes[1] * 4 * 36, sizes[2] * 4 * 4)
    assert [(c.layer, c.integer, c.macs) for c in found.convolutions] == [
        ("a", True, macs[0]),
        ("b", True, macs[1]),
        ("y", False, macs[2]),
    ]
    assert found.integer_mac_share == round(sum(macs[:2]) / sum(macs), 4)
    assert found.bytes_by_dtype == {"int8": 145, "float32": 68, "int64": 64, "uint8": 1}


def test_a_map_that_changes_its_layout_is_counted(saved):
    found = describe_execution(saved(quantized(pad_in_float=False)))
    assert found is not None
    assert found.nodes["Transpose"] == 2  # once to channels-last, once back
    # The float convolution runs in a layout of its own where the processor has one for it.
    blocked = [found.nodes.get(op, 0) for op in ("ReorderInput", "ReorderOutput")]
    assert found.transposes == 2 + sum(blocked)


def test_an_open_size_is_run_at_some_size(saved):
    found = describe_execution(saved(quantized(pad_in_float=False, height="height")))
    assert found is not None
    assert found.nodes["QLinearConv"] == 2
    assert found.integer_mac_share > 0.9


def test_a_file_that_does_not_run_is_named(saved):
    model = quantized(pad_in_float=False)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    with pytest.raises(BadArtifact, match=r"cannot run the file: .*export the network again"):
        describe_execution(saved(model))


def test_a_float_file_has_neither(artifact):
    found = describe_execution(artifact / "adain-lite_transform_64x96_fp32.onnx")
    assert found is not None
    assert (found.quantizes, found.float_round_trips, found.integer_mac_share) == (0, 0, 0)
    assert not any(item.integer for item in found.convolutions)
    assert len(found.convolutions) == 12


def test_a_format_whose_runtime_is_not_here_says_nothing(tmp_path):
    assert describe_execution(tmp_path / "x.mlpackage") is None


def tflite(*operations: tuple[str, tuple[int, ...], int], dtypes: str) -> TfliteGraph:
    """A graph by hand: dtypes ``f`` or ``i`` a tensor, the last one the stored weight."""
    names = {"f": "float32", "i": "int8"}
    tensors = tuple(
        TfliteTensor(
            str(n),
            (8, 3, 3, 8) if n == len(dtypes) - 1 else (1, 4, 4, 8),
            names[d],
            np.zeros(576, np.uint8) if n == len(dtypes) - 1 else None,
            (),
            (),
            0,
        )
        for n, d in enumerate(dtypes)
    )
    made = tuple(TfliteOperation(name, reads, (out,)) for name, reads, out in operations)
    return TfliteGraph(tensors, made, {"x": 0}, {"y": 1}, "", ())


def test_tflite_round_trips_are_counted_in_the_file():
    from styleexport.runtime_bench.execution.tflite import _op

    def trips(graph: TfliteGraph) -> int:
        return float_round_trips([_op(graph, item) for item in graph.operations])

    pad = tflite(
        ("CONV_2D", (0, 5), 1),
        ("DEQUANTIZE", (1,), 2),
        ("MIRROR_PAD", (2,), 3),
        ("QUANTIZE", (3,), 4),
        dtypes="iiffii",
    )
    assert trips(pad) == 1
    rescaled = tflite(("MIRROR_PAD", (0,), 1), ("QUANTIZE", (1,), 2), dtypes="iiii")
    assert trips(rescaled) == 0
    used = tflite(("DEQUANTIZE", (0,), 1), ("MUL", (1,), 2), ("QUANTIZE", (2,), 3), dtypes="iffii")
    assert trips(used) == 0
