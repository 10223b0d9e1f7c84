"""Known risks of an ONNX file on some runtimes and devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.formats._onnx_macs import fed_inputs


def risks_of(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risks of a model."""
    yield from _open_size_risks(model)
    yield from _wide_risks(model)
    yield from _core_ml_risks(model)
    yield from _half_norm_risks(model)


def _core_ml_risks(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield what ONNX Runtime's Core ML execution provider leaves to the CPU."""
    integers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    reflected = [
        node
        for node in model.graph.node
        if node.op_type == "Pad" and any(item.s == b"reflect" for item in node.attribute)
    ]
    if integers:
        yield RiskFact(
            where=_location(integers),
            reason="ONNX Runtime's Core ML execution provider has no quantized operation "
            "(coreml_supported_mlprogram_ops.md): the CPU computes what lies between two pairs",
            remedy="on Apple's devices use the CPU provider, or --target coreml",
        )
    elif reflected:
        yield RiskFact(
            where=_location(reflected),
            reason="ONNX Runtime's Core ML execution provider takes reflection padding in its "
            "MLProgram format alone, and in recent releases (pad_op_builder.cc): else the graph is "
            "cut at each",
            remedy="choose ModelFormat MLProgram and look at its log, or --target coreml",
        )


def _half_norm_risks(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risk of instance norms that sum in float16."""
    half = {x.name for x in model.graph.initializer if x.data_type == onnx.TensorProto.FLOAT16}
    norms = [
        node
        for node in model.graph.node
        if node.op_type == "InstanceNormalization" and half.intersection(node.input)
    ]
    if norms:
        yield RiskFact(
            where=_location(norms),
            reason="instance norms in float16: ONNX Runtime's WebGPU provider summed them in "
            "float16 until 2025, and large pictures became NaN (onnxruntime#24514)",
            remedy="keep them in float32, as exports of styleexport do, or use ONNX Runtime 1.22",
        )


def _location(nodes: Sequence[onnx.NodeProto]) -> str:
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return f"{nodes[0].op_type} {nodes[0].output[0]}{more}"


def _wide_risks(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risk of activations of 16 bits."""
    wide = {x.name for x in model.graph.initializer if x.data_type == onnx.TensorProto.UINT16}
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
            remedy="run on an NPU (QNN), or export with --quantize int8 for CPUs",
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
    resized = [node for node in model.graph.node if node.op_type == "Resize"]
    if resized:
        yield RiskFact(
            where=_location(resized),
            reason="ONNX Runtime upsamples integers element by element; files of one size copy "
            "whole pixels instead",
            remedy="export one file a size with --size where speed counts",
        )
