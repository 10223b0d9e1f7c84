"""ONNX files: operations, storage, MACs, peak memory, and known risks."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import onnx

from styleexport.core.errors import BadArtifact, first_line
from styleexport.runtime_bench.formats._format import Description, Format
from styleexport.runtime_bench.formats._liveness import GraphStep, peak_bytes
from styleexport.runtime_bench.formats._onnx_macs import fed_inputs, macs_by_node, name_nodes
from styleexport.runtime_bench.formats._onnx_risks import find_risks


class OnnxFormat(Format):
    """ONNX, one self-contained file."""

    name = "onnx"
    suffix = ".onnx"

    def describe(self, path: Path) -> Description:
        """Return the facts of an ONNX file; see `Format.describe`."""
        try:
            model = name_nodes(onnx.load(path))
            onnx.checker.check_model(model)
        except Exception as error:
            raise BadArtifact(
                f"{path} is not a whole ONNX file: {first_line(error)}; export the network again"
            ) from error
        stored: Counter[str] = Counter()
        for item in model.graph.initializer:
            kind = onnx.helper.tensor_dtype_to_np_dtype(item.data_type)
            stored[str(kind)] += math.prod(item.dims) * kind.itemsize
        opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
        macs = macs_by_node(model)
        total, quantized = sum(macs.values()), _quantized_macs(model, macs)
        return Description(
            format="ONNX",
            version=f"opset {opset}",
            size_bytes=path.stat().st_size,
            macs=total,
            int8_mac_share=round(quantized / total, 4) if total else 0.0,
            inputs=tuple(_input_text(value) for value in fed_inputs(model)),
            outputs=tuple(_input_text(value) for value in model.graph.output),
            ops=dict(Counter(node.op_type for node in model.graph.node).most_common()),
            bytes_by_dtype=dict(stored.most_common()),
            peak_activation_bytes=_peak(model),
            risks=tuple(find_risks(model, opset)),
            about=_about(model),
        )


def _about(model: onnx.ModelProto) -> dict[str, str]:
    """Return the description, author and licence of a file, and further properties by name."""
    props = {item.key: item.value for item in model.metadata_props}
    first = {
        "description": model.doc_string,
        "author": props.pop("model_author", ""),
        "licence": props.pop("model_license", ""),
    }
    about = first | {name: props[name] for name in sorted(props)}
    return {name: text for name, text in about.items() if text}


def _quantized_macs(model: onnx.ModelProto, macs: dict[str, int]) -> int:
    """Return the MACs of nodes whose activation and weight are both dequantized."""
    dequantized = {
        name
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
        for name in node.output
    }
    nodes = [node for node in model.graph.node if set(node.input[:2]) <= dequantized]
    return sum(macs.get(node.name, 0) for node in nodes)


def _input_text(value: onnx.ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    shape = [dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return f"{value.name}: {dtype} [{', '.join(shape)}]"


def _peak(model: onnx.ModelProto) -> int | None:
    """Return the peak of activation bytes; None where a shape is dynamic."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    size_bytes: dict[str, int] = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.tensor_type
        if any(dim.dim_param for dim in tensor.shape.dim):
            return None
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
        size_bytes[value.name] = math.prod(dim.dim_value for dim in tensor.shape.dim) * itemsize
    weights = {item.name for item in graph.initializer}
    steps: list[GraphStep] = []
    for node in graph.node:
        reads = tuple(name for name in node.input if name and name not in weights)
        if not reads:  # computed once, from weights alone
            weights |= set(node.output)
            continue
        steps.append(GraphStep(reads, {name: size_bytes.get(name, 0) for name in node.output}))
    inputs = {value.name: size_bytes[value.name] for value in fed_inputs(model)}
    return peak_bytes(steps, inputs, [value.name for value in graph.output])


FORMAT = OnnxFormat()
