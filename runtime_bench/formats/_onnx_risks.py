"""Risks of an ONNX file: what execution providers of ONNX Runtime leave to the CPU, and overflows.

Sources: the Core ML provider's operator list (onnxruntime.ai, CoreML-ExecutionProvider) and pads
(onnxruntime#28022, solved for ML programs by #28073 in 1.26); integers there (gigastt#42); fp16
sums under WebGPU (onnxruntime#24514, #31626). The opset that each version of ONNX Runtime loads was
tried with its Linux package.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import onnx
from onnx import TensorProto, TypeProto, helper

from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.formats._float16 import TYPICAL_SQUARE
from styleexport.runtime_bench.formats._onnx_macs import fed_inputs

QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger")
LIMITS = ("Relu", "Clip", "LeakyRelu")
INTEGERS = (TensorProto.UINT8, TensorProto.INT8)
SUMS = ("ReduceMean", "ReduceSum", "ReduceSumSquare", "GlobalAveragePool", "InstanceNormalization")
# Axes that a picture has beside batch and channels, in operations that reduce them by definition.
SPATIAL = ("GlobalAveragePool", "InstanceNormalization")
# Opset → oldest ONNX Runtime that loads it, of releases 1.15 to 1.31, each tried; all load 18.
COMMON_OPSET = 18
OLDEST_RUNTIME = {
    19: "1.15", 20: "1.17", 21: "1.18", 22: "1.21", 23: "1.23", 24: "1.24", 25: "1.24", 26: "1.26",
}  # fmt: skip
NEXT_RUNTIME = "1.27"


def find_risks(model: onnx.ModelProto, opset: int) -> Iterator[RiskFact]:
    """Yield the risks of a model.

    Args:
        model: model whose nodes have names.
        opset: version of its operators.
    """
    inferred = onnx.shape_inference.infer_shapes(model).graph
    tensors = {
        value.name: value.type.tensor_type
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    }
    yield from _pad_risks(model.graph.node, tensors)
    yield from _integer_risks(model.graph.node)
    yield from _float_risks(model.graph.node)
    yield from _sum_risks(model.graph.node, tensors)
    yield from _wide_risks(model)
    yield from _open_size_risks(model)
    if opset > COMMON_OPSET:
        oldest = OLDEST_RUNTIME.get(opset, NEXT_RUNTIME)
        newer = "" if opset in OLDEST_RUNTIME else " or newer"
        yield RiskFact(
            where=f"opset {opset}",
            reason=f"ONNX Runtime before {oldest}{newer} refuses the file",
            remedy=f"ship a runtime that loads it, or convert the file to opset {COMMON_OPSET} by "
            "onnx.version_converter",
        )


def _pad_risks(
    nodes: Iterable[onnx.NodeProto], tensors: dict[str, TypeProto.Tensor]
) -> Iterator[RiskFact]:
    """Yield the pads that the Core ML provider leaves to the CPU; those of integers all are."""
    pads = [node for node in nodes if node.op_type == "Pad" and not _integer(node, tensors)]
    by_mode: dict[str, list[onnx.NodeProto]] = {}
    for node in pads:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        by_mode.setdefault(attributes.get("mode", b"constant").decode(), []).append(node)
    for mode, found in by_mode.items():
        if mode == "constant":
            continue
        by_reflection = mode == "reflect"
        when = (
            "in its default format, and in ML programs before 1.26" if by_reflection else "always"
        )
        yield RiskFact(
            where=_location(found),
            reason=f"ONNX Runtime's Core ML provider leaves {mode} pads to the CPU {when}: the "
            "graph is cut there, with a copy each way",
            remedy="take ONNX Runtime 1.26 or newer with ModelFormat=MLProgram, or export with "
            "--target coreml"
            if by_reflection
            else "export with --target coreml",
        )


def _integer(node: onnx.NodeProto, tensors: dict[str, TypeProto.Tensor]) -> bool:
    tensor = tensors.get(node.input[0])
    return tensor is not None and tensor.elem_type in INTEGERS


def _integer_risks(nodes: Iterable[onnx.NodeProto]) -> Iterator[RiskFact]:
    found = [node for node in nodes if node.op_type in QUANTIZED]
    if found:
        yield RiskFact(
            where=_location(found),
            reason=f"ONNX Runtime's Core ML provider has no {found[0].op_type}: on Apple devices "
            "what is quantized runs on the CPU, and the graph is cut around it",
            remedy="export with --target coreml for Apple devices, in int8 too",
        )


def _float_risks(nodes: Sequence[onnx.NodeProto]) -> Iterator[RiskFact]:
    """Yield the integer convolutions whose results are floats: ONNX Runtime has no such kernel."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    dequantized = {x.output[0] for x in nodes if x.op_type == "DequantizeLinear"}

    def is_rounded(name: str) -> bool:
        behind = readers.get(name, [])
        return bool(behind) and all(
            x.op_type == "QuantizeLinear" or (x.op_type in LIMITS and is_rounded(x.output[0]))
            for x in behind
        )

    found = [
        node
        for node in nodes
        if node.op_type == "Conv"
        and dequantized.issuperset(node.input[:2])
        and not is_rounded(node.output[0])
    ]
    if found:
        yield RiskFact(
            where=_location(found),
            reason="results of integer convolutions are floats, as OpenVINO takes them: ONNX "
            "Runtime computes these in float",
            remedy="run the file in OpenVINO, or export with --runtime onnxruntime",
        )


def _wide_risks(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risk of activations of 16 bits."""
    wide = {x.name for x in model.graph.initializer if x.data_type == TensorProto.UINT16}
    held = [
        node
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and wide.intersection(node.input)
    ]
    if held:
        yield RiskFact(
            where=_location(held),
            reason="activations of 16 bits: ONNX Runtime's CPU has no integer kernels for them and "
            "computes in float between roundings, slower than the float file; NPUs multiply them",
            remedy="run on an NPU (QNN), or export with --precision int8 for CPUs",
        )


def _open_size_risks(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risks of an int8 file of any size: what its ranges are, and its speed."""
    open_inputs = [
        value.name
        for value in fed_inputs(model)
        if any(not dim.dim_value for dim in value.type.tensor_type.shape.dim)
    ]
    if not open_inputs or not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        return
    yield RiskFact(
        where=open_inputs[0],
        reason="ranges were taken from pictures of a few sizes, named in the manifest: those of "
        "much larger pictures may be wider, and are clipped",
        remedy="compare at the sizes that you paint, or export one file a size with --size",
    )
    moved = [node for node in model.graph.node if node.op_type in ("Resize", "DepthToSpace")]
    if moved:
        yield RiskFact(
            where=_location(moved),
            reason="ONNX Runtime moves integers element by element here; files of one size copy "
            "whole pixels instead",
            remedy="export one file a size with --size where speed counts",
        )


def _sum_risks(
    nodes: Iterable[onnx.NodeProto], tensors: dict[str, TypeProto.Tensor]
) -> Iterator[RiskFact]:
    """Yield the sums over maps that are fp16 in the file: WebGPU may accumulate in fp16."""
    summed = {
        node.name: _summed(node, tensors)
        for node in nodes
        if node.op_type in SUMS and _is_half(node, tensors)
    }
    risky = {
        name: count
        for name, count in summed.items()
        if count is None or count * TYPICAL_SQUARE > LARGEST_FLOAT16
    }
    found = [node for node in nodes if node.name in risky]
    if found:
        counts = [count for count in risky.values() if count is not None]
        values = f"{max(counts)} values" if len(counts) == len(risky) else "a picture of any size"
        yield RiskFact(
            where=_location(found),
            reason=f"under WebGPU, ONNX Runtime may sum {values} in fp16 here and pass "
            f"{LARGEST_FLOAT16} (instance norms before onnxruntime#24514, April 2025; statistics "
            "in single operations still, #31626)",
            remedy="export with --precision fp16, which keeps statistics in float32, or paint with "
            "fp32",
        )


def _is_half(node: onnx.NodeProto, tensors: dict[str, TypeProto.Tensor]) -> bool:
    tensor = tensors.get(node.input[0])
    return tensor is not None and tensor.elem_type == TensorProto.FLOAT16


def _summed(node: onnx.NodeProto, tensors: dict[str, TypeProto.Tensor]) -> int | None:
    """Return the number of values that each sum takes; None where the size is open."""
    read = _sides(tensors.get(node.input[0]))
    if read is None:
        return None
    if node.op_type in SPATIAL:
        return math.prod(read[2:])
    written = _sides(tensors.get(node.output[0]))
    return None if written is None else math.prod(read) // max(1, math.prod(written))


def _sides(tensor: TypeProto.Tensor | None) -> list[int] | None:
    """Return the shape of a tensor; None where it is unknown or open."""
    if tensor is None or any(not dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return [dim.dim_value for dim in tensor.shape.dim]


def _location(nodes: Sequence[onnx.NodeProto]) -> str:
    """Return the first node, and the number of others."""
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return f"{nodes[0].op_type} {nodes[0].name}{more}"
