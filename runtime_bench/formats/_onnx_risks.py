"""Known risks of an ONNX file on some runtimes and devices."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.formats._onnx_macs import fed_inputs


def risks_of(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risks of a model."""
    yield from _open_size_risks(model)
    yield from _wide_risks(model)


def _wide_risks(model: onnx.ModelProto) -> Iterator[RiskFact]:
    """Yield the risk of activations of 16 bits."""
    wide = {x.name for x in model.graph.initializer if x.data_type == onnx.TensorProto.UINT16}
    held = [
        node.input[0]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and wide.intersection(node.input)
    ]
    if held:
        yield RiskFact(
            where=f"{held[0]} and {len(held) - 1} more",
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
    resized = [node.output[0] for node in model.graph.node if node.op_type == "Resize"]
    if resized:
        more = f" and {len(resized) - 1} more" if len(resized) > 1 else ""
        yield RiskFact(
            where=f"{resized[0]}{more}",
            reason="ONNX Runtime upsamples integers element by element; files of one size copy "
            "whole pixels instead",
            remedy="export one file a size with --size where speed counts",
        )
