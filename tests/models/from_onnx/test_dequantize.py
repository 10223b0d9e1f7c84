"""The float network of quantized files: taken out, counted, proven, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import helper, numpy_helper

from styleexport.core.errors import BadCheckpoint, UnsupportedOp, UsageError
from styleexport.models.network_spec import NetworkSpec
from styleexport.models.networks._open import open_network
from tests.models.from_onnx import quantized_nets
from tests.models.from_onnx.onnx_nets import weight, write
from tests.models.from_onnx.quantized_nets import KINDS, Saturating, float_file, quantized_file

TAKEN = {
    "qdq": "10 weights and biases dequantized, 10 activation quantizers dropped",
    "qdq-signed": "9 activation quantizers dropped (6 of them as ReLUs), 0 integer operators",
    "operators": "8 activation quantizers dropped (6 of them as ReLUs), 7 integer operators",
    "everywhere": "9 activation quantizers dropped (6 of them as ReLUs)",
    "dynamic": "5 activation quantizers dropped, 5 integer operators made float",
}


def decibels(path: Path, float_path: Path) -> float:
    """PSNR between what is read of a file and another file, for a random picture."""
    image = np.random.default_rng(5).random((1, 3, 48, 64), np.float32)
    network = open_network(f"{path},dequantize")
    ours = network.role_module("stylize")(torch.from_numpy(image)).numpy()  # pyright: ignore
    theirs = ort.InferenceSession(str(float_path)).run(None, {"x": image})[0]
    return float(-10 * np.log10(np.mean((ours - theirs) ** 2)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_float_network_is_taken_back_out(kind, tmp_path):
    path = quantized_file(tmp_path, kind)
    network = open_network(f"{path},dequantize")
    (remark,) = network.remarks
    assert TAKEN[kind] in remark
    measured, explained = map(float, re.findall(r"([\d.]+) dB", remark))
    assert measured > explained - 6
    assert remark in network.network.summary
    # Weights of 8 bits are what is left of the quantization.
    assert decibels(path, tmp_path / "float.onnx") > (50 if kind == "dynamic" else 80)
    with pytest.raises(
        UsageError, match=r"quantized already .* add --dequantize to take the float"
    ):
        open_network(str(path))


@pytest.mark.parametrize("kind", ["qdq", "operators"])
def test_limits_that_a_quantizer_keeps_are_kept(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(quantized_nets, "Small", Saturating)
    path = quantized_file(tmp_path, kind)
    network = open_network(f"{path},dequantize")
    assert decibels(path, tmp_path / "float.onnx") > 30
    if not any(node.op_type == "Clip" for node in onnx.load(path).graph.node):
        assert "of them with their range" in network.remarks[0]


def quantized(path: Path, op: str, *inputs: str, **attributes: object) -> Path:
    """A file of one quantized operation on a picture."""
    scale, zero = np.array(0.01, np.float32), np.array(0, np.uint8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node(op, ["q", *inputs], ["r"], name="it", **attributes),
        helper.make_node("DequantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    stored = {"s": scale, "z": zero, "n": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "w": weight(3)}
    used = {name for node in nodes for name in node.input}
    write(path, nodes, {k: v for k, v in stored.items() if k in used})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("MaxPool", (), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Transpose", (), {"perm": [0, 1, 3, 2]}),
        ("Pad", ("n", "z"), {}),
        ("QLinearGlobalAveragePool", ("s", "z", "s", "z"), {"domain": "com.microsoft"}),
        ("QLinearLeakyRelu", ("s", "z", "s", "z"), {"domain": "com.microsoft", "alpha": 0.1}),
        ("QLinearAdd", ("s", "z", "q", "s", "z", "s", "z"), {"domain": "com.microsoft"}),
    ],
)
def test_operations_on_quantized_tensors_become_float(op, inputs, attributes, tmp_path):
    path = quantized(tmp_path / "a.onnx", op, *inputs, **attributes)
    remark = open_network(f"{path},dequantize,pixel-range=0..1").remarks[0]
    assert "activation quantizers dropped" in remark


def test_what_is_not_taken_back_is_named(tmp_path):
    plain = float_file(tmp_path / "plain.onnx")
    with pytest.raises(UsageError, match="is not quantized: leave out --dequantize"):
        open_network(f"{plain},dequantize")
    path = quantized(tmp_path / "a.onnx", "QLinearWhere", domain="com.microsoft")
    with pytest.raises(BadCheckpoint, match="does not run in ONNX Runtime"):
        open_network(f"{path},dequantize")
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("ReduceMax", ["a"], ["s"], keepdims=0),
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"], name="it"),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    path = write(tmp_path / "b.onnx", nodes)
    with pytest.raises(UnsupportedOp, match=r"'it' \(QuantizeLinear\) takes its scale or weight"):
        open_network(f"{path},dequantize")


def test_a_file_whose_rounding_does_not_explain_the_difference_is_refused(tmp_path, monkeypatch):
    from styleexport.models.from_onnx import dequantization

    path = quantized_file(tmp_path, "qdq")
    real = dequantization.float_model

    def wrong(model, path, limits):
        changed, counts = real(model, path, limits)
        for tensor in changed.graph.initializer:
            if len(tensor.dims) == 4:
                values = numpy_helper.to_array(tensor) * -1
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
                break
        return changed, counts

    monkeypatch.setattr(dequantization, "float_model", wrong)
    with pytest.raises(BadCheckpoint, match=r"cannot be dequantized: .* dB against the file"):
        open_network(f"{path},dequantize")


def test_the_specification_says_it():
    assert str(NetworkSpec.parse("a.onnx,content=x,dequantize")) == "a.onnx,content=x,dequantize"
