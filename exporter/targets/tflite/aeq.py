"""ai-edge-quantizer, operation by operation: which to quantize and how, and the file that gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, quantizer
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from numpy.typing import NDArray

from styleexport.core.quiet import quiet
from styleexport.core.recipe import Range
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph, TfliteOperation
from styleexport.runtime_bench.runners._litert_tensors import native_quiet

# Operations with weights: as the schema calls them, and as the quantizer does.
WEIGHTED = {
    "CONV_2D": "CONV_2D",
    "DEPTHWISE_CONV_2D": "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV": "CONV_2D_TRANSPOSE",
    "FULLY_CONNECTED": "FULLY_CONNECTED",
}
LOWEST = -128
schema: Any = schema_py_generated
FLOAT, INTEGER = qtyping.ComputePrecision.FLOAT, qtyping.ComputePrecision.INTEGER


@dataclass(frozen=True)
class Scheme:
    """Quantization of one operation.

    Attributes:
        weight_bits: bits of each weight: 8 for integers, 16 for floats.
        activation_bits: None where activations stay in float.
        computes: precision of the arithmetic: in float, from dequantized weights, or in integers.
        per_channel: whether each output channel has its own weight scale; integers only.
    """

    weight_bits: int
    activation_bits: int | None
    computes: qtyping.ComputePrecision
    per_channel: bool = True

    def config(self) -> qtyping.OpQuantizationConfig:
        """Return the quantizer's own words for it."""
        half = self.weight_bits == 16
        activation = (
            qtyping.TensorQuantizationConfig(
                num_bits=self.activation_bits,
                symmetric=self.activation_bits == 16,  # LiteRT's kernels take no zero point there
            )
            if self.activation_bits
            else None
        )
        weight = qtyping.TensorQuantizationConfig(
            num_bits=self.weight_bits,
            dtype=qtyping.TensorDataType.FLOAT if half else qtyping.TensorDataType.INT,
            granularity=qtyping.QuantGranularity.CHANNELWISE
            if self.per_channel and not half
            else qtyping.QuantGranularity.TENSORWISE,
        )
        return qtyping.OpQuantizationConfig(
            activation_tensor_config=activation,
            weight_tensor_config=weight,
            compute_precision=self.computes,
            explicit_dequantize=self.computes == FLOAT,
        )


STATIC = Scheme(weight_bits=8, activation_bits=8, computes=INTEGER)
STATIC_A16 = replace(STATIC, activation_bits=16)
DYNAMIC = Scheme(weight_bits=8, activation_bits=None, computes=INTEGER)
STORED_INT8 = Scheme(weight_bits=8, activation_bits=None, computes=FLOAT)
STORED_HALF = Scheme(weight_bits=16, activation_bits=None, computes=FLOAT)


def quantize(
    source: Path,
    target: Path,
    graph: TfliteGraph,
    operations: Sequence[TfliteOperation],
    scheme: Scheme,
    ranges: Mapping[str, Range] | None = None,
    *,
    stored: Sequence[TfliteOperation] = (),
) -> None:
    """Write a file with some of its operations quantized.

    Args:
        source: a float32 file.
        target: the file to write.
        graph: what the source holds.
        operations: operations of the graph to quantize.
        scheme: how.
        ranges: tensor name → range of each activation of the operations; for static schemes.
        stored: other operations, whose weights alone are stored as int8.
    """
    if not operations:
        target.write_bytes(source.read_bytes())
        return
    with native_quiet(), quiet():
        tool = quantizer.Quantizer(str(source))
        _treat(tool, graph, operations, scheme)
        _treat(tool, graph, stored, STORED_INT8)
        result = tool.quantize(
            _limits(graph, ranges) if ranges else None,  # pyright: ignore[reportArgumentType]
            enable_progress_bar=False,
            enable_progress_report=False,
        )
    # The quantizer stores large weights behind the flatbuffer, where old runtimes do not look.
    content = result.quantized_model
    assert content is not None
    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    requantize_instead_of_relu(model)
    _keep_output_names(model, tuple(graph.outputs))
    target.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _keep_output_names(model: Any, names: Sequence[str]) -> None:  # noqa: ANN401 - generated
    """Give outputs the names they had; behind an integer operation, the quantizer adds to them."""
    (part,) = model.subgraphs
    for index, name in zip(part.outputs, names, strict=True):
        output = part.tensors[index]
        if output.name == name.encode():
            continue
        for tensor in part.tensors:
            if tensor.name == name.encode():
                tensor.name = f"{name}_quantized".encode()
        output.name = name.encode()


def _treat(
    tool: quantizer.Quantizer,
    graph: TfliteGraph,
    operations: Sequence[TfliteOperation],
    scheme: Scheme,
) -> None:
    """Tell the quantizer to treat some operations by a scheme."""
    half = scheme.weight_bits == 16
    algorithm = AlgorithmName.FLOAT_CASTING if half else AlgorithmName.MIN_MAX_UNIFORM_QUANT
    named: dict[str, list[str]] = {}
    for item in operations:
        named.setdefault(item.name, []).append(graph.tensors[item.outputs[0]].name)
    for name, outputs in named.items():
        tool.update_quantization_recipe(
            regex=f"^({'|'.join(map(re.escape, outputs))});?$",
            operation_name=qtyping.TFLOperationName(WEIGHTED.get(name, name)),
            op_config=scheme.config(),
            algorithm_key=algorithm,
        )


def requantize_instead_of_relu(model: Any) -> None:  # noqa: ANN401 - the flatbuffer's own classes
    """Write a QUANTIZE in the place of each int8 RELU.

    XNNPACK takes no RELU in int8, and LiteRT's own kernel is slow. Where the result begins at 0,
    its zero point is -128: a change of scale saturates all that is negative at 0, and is relu(x).
    """
    codes = [item.builtinCode for item in model.operatorCodes]
    for graph in model.subgraphs:
        for item in graph.operators:
            if codes[item.opcodeIndex] != schema.BuiltinOperator.RELU:
                continue
            before, after = graph.tensors[item.inputs[0]], graph.tensors[item.outputs[0]]
            if {before.type, after.type} != {schema.TensorType.INT8}:
                continue
            if list(after.quantization.zeroPoint) != [LOWEST]:
                continue
            if schema.BuiltinOperator.QUANTIZE not in codes:
                model.operatorCodes.append(_operator_code(schema.BuiltinOperator.QUANTIZE))
                codes.append(schema.BuiltinOperator.QUANTIZE)
            item.opcodeIndex = codes.index(schema.BuiltinOperator.QUANTIZE)
            item.builtinOptions, item.builtinOptionsType = None, schema.BuiltinOptions.NONE


def _operator_code(builtin: int) -> Any:  # noqa: ANN401 - the flatbuffer's own class
    code: Any = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    return code


def _limits(
    graph: TfliteGraph, ranges: Mapping[str, Range]
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Return the ranges in the quantizer's own words: arrays that spread over the tensor."""
    return {
        tensor.name: {
            key: np.full([1] * max(1, len(tensor.shape)), limit, np.float32)
            for key, limit in (("min", ranges[tensor.name].low), ("max", ranges[tensor.name].high))
        }
        for tensor in graph.tensors
        if tensor.name in ranges
    }


def weighted(graph: TfliteGraph) -> list[TfliteOperation]:
    """Return the operations of a graph that have weights."""
    return [item for item in graph.operations if item.name in WEIGHTED]
