"""What `inspect` says of what a runtime executes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import ConvolutionFact, ExecutionFact
from styleexport.runtime_bench import execution

NAME = "adain-lite_encode_64x64_fp32.onnx"
FACT = ExecutionFact(
    runtime="onnxruntime 1.31.1",
    nodes={"QLinearConv": 1, "Conv": 1},
    integer_mac_share=0.75,
    convolutions=(
        ConvolutionFact(layer="conv2d", integer=True, macs=3_000_000),
        ConvolutionFact(layer="conv2d_1", integer=False, macs=1_000_000),
    ),
    float_round_trips=2,
    transposes=5,
    quantizes=3,
    dequantizes=4,
    bytes_by_dtype={"int8": 9},
)


def test_a_float_file_is_run(cli, artifact):
    seen = cli("inspect", artifact / NAME)
    seen.fine()
    out = seen.out
    assert "computes 0 of 5 convolutions in integers, 0% of the multiply-accumulates" in out
    assert "quantized 0 times, dequantized 0 times, 0 of them to and fro only" in out
    assert "in float:" not in out
    found = json.loads(cli("inspect", artifact / NAME, "--json").out)["execution"]
    assert (found["integer_mac_share"], len(found["convolutions"])) == (0, 5)


def test_what_stays_in_float_is_named(cli, artifact, monkeypatch):
    monkeypatch.setattr(execution, "describe_execution", lambda _: FACT)
    out = cli("inspect", artifact / NAME).out
    assert (
        "onnxruntime 1.31.1 computes 1 of 2 convolutions in integers, 75% of the "
        "multiply-accumulates" in out
    )
    assert "quantized 3 times, dequantized 4 times, 2 of them to and fro only" in out
    assert "5 maps transposed" in out
    assert "in float: conv2d_1, 1.0 MMAC" in out
    assert "conv2d," not in out


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_file_that_does_not_run_is_described_all_the_same(cli, artifact, monkeypatch, arguments):
    def fails(_):
        raise BadArtifact("ONNX Runtime cannot run the file: no such kernel")

    monkeypatch.setattr(execution, "describe_execution", fails)
    seen = cli("inspect", artifact / NAME, *arguments)
    seen.fine()
    if arguments:
        assert json.loads(seen.out)["execution"] is None
    else:
        assert "opset 18" in seen.out
        assert "not run: ONNX Runtime cannot run the file: no such kernel" in seen.out


@pytest.mark.parametrize("kind", ["float16", "unnamed", "weights-as-inputs"])
def test_convolutions_of_files_from_elsewhere_are_counted(cli, tmp_path, kind):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        helper.make_node("Conv", ["a", "w"], ["y"], pads=[1] * 4),
    ]
    dtype = np.float16 if kind == "float16" else np.float32
    weights = numpy_helper.from_array(np.ones((3, 3, 3, 3), dtype), "w")
    shape, of_type = [1, 3, 8, 8], weights.data_type
    inputs = [helper.make_tensor_value_info("x", of_type, shape)]
    if kind == "weights-as-inputs":
        inputs.append(helper.make_tensor_value_info("w", of_type, weights.dims))
    output = helper.make_tensor_value_info("y", of_type, shape)
    graph = helper.make_graph(nodes, "g", inputs, [output], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "a.onnx")
    seen = cli("inspect", "a.onnx")
    seen.fine()
    assert "computes 0 of 2 convolutions in integers" in seen.out
    assert "input w" not in seen.out
