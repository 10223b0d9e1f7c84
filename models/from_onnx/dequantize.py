"""Float networks of quantized ONNX files: weights dequantized, activation quantizers dropped.

A quantizer rounds, which is dropped, and cuts to its range, which may be part of the network: tools
leave out a ReLU in front of a quantizer that begins at zero. Where its range begins at zero, a ReLU
takes its place; where that is not enough, its whole range is kept as a ``Clip``.

Read are QuantizeLinear and DequantizeLinear, the QLinear operators, ConvInteger and MatMulInteger
with DynamicQuantizeLinear, in ONNX's domain and in com.microsoft.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from styleexport.core.errors import UnsupportedOp
from styleexport.models.from_onnx.float_graph import (
    PASSING,
    POSITIVE,
    Counts,
    FloatGraph,
    Limits,
    Step,
)

QUANTIZED = (
    "Quantize", "Dequantize", "QLinear", "QGemm", "ConvInteger", "MatMulInteger", "DynamicQuant",
)  # fmt: skip
# Inputs of a QLinear operator of one tensor: it, its scale and zero point, those of the result.
UNARY = {
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearReduceMean": "ReduceMean",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
BINARY = {"QLinearAdd": "Add", "QLinearMul": "Mul"}
# Their results are never below zero, so that a quantizer behind them is no ReLU.


def is_quantized(node: NodeProto) -> bool:
    """Whether a node quantizes, dequantizes, or computes in integers."""
    return node.op_type.startswith(QUANTIZED)


def float_model(model: ModelProto, path: Path, limits: Limits) -> tuple[ModelProto, Counts]:
    """Return the float network of a quantized model, and what was taken out.

    Raises:
        UnsupportedOp: an operator on integers is not read, or takes computed scales.
    """
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    rewriting = FloatGraph(path, limits, constants)
    for node in graph.node:
        _rewrite(rewriting, node)
    changed = ModelProto()
    changed.CopyFrom(model)
    used = {name for node in rewriting.nodes for name in node.input}
    del changed.graph.node[:], changed.graph.initializer[:], changed.graph.value_info[:]
    changed.graph.node.extend(rewriting.nodes)
    made = {name for node in rewriting.nodes for name in node.output}
    changed.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in rewriting.constants.items()
        if name in used - made
    )
    kept = {tensor.name for tensor in changed.graph.initializer}
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [v for v in graph.input if v.name not in weights or v.name in kept]
    del changed.graph.input[:]
    changed.graph.input.extend(v for v in inputs if v.name not in weights)
    for value in changed.graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    return changed, rewriting.counts


def _rewrite(to: FloatGraph, node: NodeProto) -> None:
    op, output = node.op_type, node.output[0]
    if op in SPECIAL:
        if op not in ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"):
            to.counts.integer += 1
        SPECIAL[op](to, node)
    elif op in UNARY or op in BINARY:
        to.counts.integer += 1
        binary = op in BINARY
        _unlike_last(node, op)
        inputs = [_float_input(to, node, 3 * place) for place in range(1 + binary)]
        to.add(UNARY.get(op) or BINARY[op], inputs, f"{output}_float", **_attributes(node))
        to.quantizer(f"{output}_float", to.step(node, 6 if binary else 3), output)
    elif is_quantized(node):
        raise UnsupportedOp(
            f"network {to.path}: node {node.name or output!r} ({op}) is not taken back to float; "
            "give the float32 file that it was made from"
        )
    else:
        copy = NodeProto()
        copy.CopyFrom(node)
        first = node.input[0] if node.input else ""
        step = to.steps.get(first)
        if step is not None and (op in PASSING or op in ("Clip", "Relu", "Max", "Min")):
            _keep_quantized(to, copy, step)
        to.nodes.append(copy)
        if op in POSITIVE or (op in PASSING and first in to.positive):
            to.positive |= set(node.output)


def _unlike_last(node: NodeProto, op: str) -> None:
    for attribute in node.attribute:
        if attribute.name == "channels_last" and attribute.i:
            raise UnsupportedOp(
                f"node {node.name or node.output[0]!r} ({op}) has its channels last; give the "
                "float32 file that it was made from"
            )


def _attributes(node: NodeProto) -> dict[str, Any]:
    left_out = ("channels_last", "opset")
    return {
        item.name: helper.get_attribute_value(item)
        for item in node.attribute
        if item.name not in left_out
    }


def _keep_quantized(to: FloatGraph, node: NodeProto, step: Step) -> None:
    """Hand the step on, and dequantize stored values beside the data: of a pad, of limits."""
    to.steps |= dict.fromkeys(node.output, step)
    for index, name in enumerate(node.input):
        value = to.constants.get(name)
        if index and value is not None and value.dtype == step.zero.dtype:
            node.input[index] = f"{name}_{node.output[0]}_float"
            to.constants[node.input[index]] = step.dequantized(value)


def _float_input(to: FloatGraph, node: NodeProto, index: int) -> str:
    """Return the float tensor of a quantized input; that of a stored one is added."""
    name = node.input[index]
    if name not in to.constants or name in to.steps:
        return name
    return to.weight(node, index, to.step(node, index + 1), f"{name}_{node.output[0]}_float")


def _quantize_linear(to: FloatGraph, node: NodeProto) -> None:
    data, output = node.input[0], node.output[0]
    step = to.step(node, 1, _axis(node, 1))
    if data in to.constants:
        to.constants[output] = step.quantized(to.constants[data])
    else:
        to.quantizer(data, step, output)


def _dequantize_linear(to: FloatGraph, node: NodeProto) -> None:
    data, output = node.input[0], node.output[0]
    if data in to.constants:
        values = to.constants[data]
        zero = np.zeros(1, values.dtype)
        step = Step(to.constant(node, 1), to.constant(node, 2, zero), _axis(node, 1))
        to.weight(node, 0, step, output)
    else:
        to.add("Identity", (data,), output)


def _axis(node: NodeProto, default: int) -> int:
    given = {item.name: item.i for item in node.attribute}
    if given.get("block_size"):
        raise UnsupportedOp(
            f"node {node.name or node.output[0]!r} ({node.op_type}) is quantized by blocks, which "
            "is not taken back to float; give the float32 file"
        )
    return given.get("axis", default)


def _dynamic_quantize(to: FloatGraph, node: NodeProto) -> None:
    data, (output, scale, zero) = node.input[0], node.output
    to.counts.quantizers += 1
    if to.limits is Limits.NOISE:
        # Its range is that of the values, zero included, in 255 steps.
        to.constants[f"{output}_zero"] = np.zeros((), np.float32)
        for op, end in (("Max", "high"), ("Min", "low")):
            to.add(f"Reduce{op}", (data,), f"{output}_{end}est", keepdims=0)
            to.add(op, (f"{output}_{end}est", f"{output}_zero"), f"{output}_{end}")
        to.add("Sub", (f"{output}_high", f"{output}_low"), f"{output}_span")
        half = 0.5 / 255
        to.add("RandomUniformLike", (data,), f"{output}_unit", low=-half, high=half, seed=1.0)
        to.add("Mul", (f"{output}_unit", f"{output}_span"), f"{output}_noise")
        to.add("Add", (data, f"{output}_noise"), output)
    else:
        to.add("Identity", (data,), output)
    to.constants |= {scale: np.ones((), np.float32), zero: np.zeros((), np.uint8)}


def _convolution(to: FloatGraph, node: NodeProto) -> None:
    output, data = node.output[0], to.step(node, 1)
    step = to.step(node, 4, 0)
    inputs = [_float_input(to, node, 0), to.weight(node, 3, step, f"{output}_weight")]
    if len(node.input) > 8 and node.input[8]:
        scale = step.scale.astype(np.float64).reshape(-1) * float(data.scale.reshape(()))
        bias = to.constant(node, 8).astype(np.float64) * scale
        to.constants[f"{output}_bias"] = bias.astype(np.float32)
        inputs.append(f"{output}_bias")
    to.add("Conv", inputs, f"{output}_float", **_attributes(node))
    to.quantizer(f"{output}_float", to.step(node, 6), output)


def _product(to: FloatGraph, node: NodeProto) -> None:
    output = node.output[0]
    left = _float_input(to, node, 0)
    right = node.input[3]
    if right in to.constants and right not in to.steps:
        right = to.weight(node, 3, to.step(node, 4, -1), f"{output}_weight")
    to.add("MatMul", (left, right), f"{output}_float")
    to.quantizer(f"{output}_float", to.step(node, 6), output)


def _gemm(to: FloatGraph, node: NodeProto) -> None:
    output, attributes = node.output[0], _attributes(node)
    step = to.step(node, 4, 0 if attributes.get("transB") else 1)
    inputs = [_float_input(to, node, 0), to.weight(node, 3, step, f"{output}_weight")]
    if len(node.input) > 6 and node.input[6]:
        scale = step.scale.astype(np.float64).reshape(-1) * float(
            to.step(node, 1).scale.reshape(())
        )
        to.constants[f"{output}_bias"] = (to.constant(node, 6) * scale).astype(np.float32)
        inputs.append(f"{output}_bias")
    to.add("Gemm", inputs, f"{output}_float", **attributes)
    to.quantizer(f"{output}_float", to.step(node, 7), output)


def _concat(to: FloatGraph, node: NodeProto) -> None:
    output = node.output[0]
    inputs = [_float_input(to, node, index) for index in range(2, len(node.input), 3)]
    to.add("Concat", inputs, f"{output}_float", **_attributes(node))
    to.quantizer(f"{output}_float", to.step(node, 0), output)


def _integer(op: str, axis: int) -> Callable[[FloatGraph, NodeProto], None]:
    """Return the rewriting of an operator whose result is scaled by nodes behind it."""

    def rewrite(to: FloatGraph, node: NodeProto) -> None:
        output, weight = node.output[0], to.constant(node, 1)
        ones, zero = np.ones(1, np.float32), to.constant(node, 3, np.zeros(1, weight.dtype))
        inputs = (
            node.input[0],
            to.weight(node, 1, Step(ones, zero, axis), f"{output}_weight"),
        )
        step = to.steps.get(node.input[0])
        result = output if step is None else f"{output}_float"
        to.add(op, inputs, result, **_attributes(node))
        if step is not None:  # the float values are its steps already multiplied by the scale
            to.constants[f"{output}_scale"] = (1 / step.scale.astype(np.float64)).astype(np.float32)
            to.add("Mul", (result, f"{output}_scale"), output)

    return rewrite


SPECIAL: Mapping[str, Callable[[FloatGraph, NodeProto], None]] = {
    "ConvInteger": _integer("Conv", 0),
    "DequantizeLinear": _dequantize_linear,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "MatMulInteger": _integer("MatMul", -1),
    "QGemm": _gemm,
    "QLinearConcat": _concat,
    "QLinearConv": _convolution,
    "QLinearMatMul": _product,
    "QuantizeLinear": _quantize_linear,
}
