"""Reader of ``.tflite`` flatbuffers, with the checks that LiteRT leaves out.

LiteRT trusts the file: an index or a length that points outside it ends the process. So every
reference is checked here first. The format is that of LiteRT's ``schema.fbs``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import BadArtifact, first_line
from styleexport.core.input_files import read_input
from styleexport.core.plugins import needs
from styleexport.runtime_bench.formats._tflite_graph import (
    TfliteGraph,
    TfliteOperation,
    TfliteTensor,
)
from styleexport.runtime_bench.formats._tflite_metadata import NAME, read_metadata

IDENTIFIER = b"TFL3"
DTYPES = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "FLOAT64": "float64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT32": "uint32",
    "BOOL": "bool",
}
# Operator options that must be 1 or more: LiteRT divides by strides.
POSITIVE = (
    "strideH",
    "strideW",
    "dilationHFactor",
    "dilationWFactor",
    "filterHeight",
    "filterWidth",
    "depthMultiplier",
)
MAX_ELEMENTS = 2**31 - 1


def read_graph(path: Path) -> TfliteGraph:
    """Return the graph of a ``.tflite`` file.

    Raises:
        BadArtifact: the file is missing, truncated, altered, or holds more than one graph.
        MissingExtra: ai-edge-litert, which holds the schema, is not installed.
    """
    data = read_input(path, error=BadArtifact, remedy="type the path of a .tflite file")
    with needs("reading .tflite files"):
        from ai_edge_litert import schema_py_generated as schema
    if data[4:8] != IDENTIFIER:
        raise BadArtifact(
            f"{path} is not a TFLite file: expected {IDENTIFIER.decode()} at its byte 4; type the "
            "path of a .tflite file"
        )
    try:
        model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        graph = _graph(model, data)
        fault = next(_faults(model, graph), None)
    except Exception as error:  # damaged bytes may raise anything
        outside = isinstance(error, struct.error | IndexError | TypeError)
        reason = "it points behind its own end" if outside else first_line(error)
        raise _not_whole(path, reason) from error
    if fault:
        raise _not_whole(path, fault)
    return graph


def _not_whole(path: Path, reason: str) -> BadArtifact:
    return BadArtifact(
        f"{path} is not a whole TFLite file ({reason}): it was cut off or altered; export the "
        "network again"
    )


@cache
def _names(kind: str) -> dict[int, str]:
    """Return value → name of an enumeration of the schema."""
    from ai_edge_litert import schema_py_generated as schema

    values = vars(getattr(schema, kind)).items()
    return {value: name for name, value in values if isinstance(value, int)}


def _graph(model: Any, data: bytes) -> TfliteGraph:  # noqa: ANN401 - generated classes without types
    if len(model.subgraphs) != 1:
        raise ValueError(f"it holds {len(model.subgraphs)} graphs, expected 1")
    graph = model.subgraphs[0]
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    operations = _names("BuiltinOperator")
    signature = model.signatureDefs[0] if model.signatureDefs else None
    return TfliteGraph(
        tensors=tuple(
            _tensor(item, _stored(model.buffers[_index(item.buffer, len(model.buffers))], data))
            for item in graph.tensors
        ),
        operations=tuple(
            TfliteOperation(
                operations[codes[_index(item.opcodeIndex, len(codes))]],
                _indices(item.inputs),
                _indices(item.outputs),
                int(model.operatorCodes[item.opcodeIndex].version),
                _options(item.builtinOptions),
            )
            for item in graph.operators
        ),
        inputs=_ends(graph, signature and signature.inputs, _indices(graph.inputs)),
        outputs=_ends(graph, signature and signature.outputs, _indices(graph.outputs)),
        least_runtime=_metadata(model, b"min_runtime_version").rstrip(b"\0").decode(),
        about=read_metadata(_metadata(model, NAME.encode())),
        dynamic_tensors=tuple(
            i for i, item in enumerate(graph.tensors) if -1 in _indices(item.shapeSignature)
        ),
    )


def _options(options: Any) -> tuple[tuple[str, int], ...]:  # noqa: ANN401
    """Return name → number of the options of an operator that are not 0."""
    values = vars(options).items() if options is not None else ()
    return tuple((name, int(value)) for name, value in values if isinstance(value, int) and value)


def _stored(buffer: Any, data: bytes) -> NDArray[np.uint8] | None:  # noqa: ANN401
    """Return the bytes of a buffer, which may lie behind the flatbuffer; None if it is empty."""
    if buffer.offset > 1:
        if buffer.offset + buffer.size > len(data):
            raise ValueError("a buffer ends behind the end of the file")
        return np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
    empty = buffer.data is None or len(buffer.data) == 0
    return None if empty else np.asarray(buffer.data, np.uint8)


def _tensor(item: Any, stored: NDArray[np.uint8] | None) -> TfliteTensor:  # noqa: ANN401
    quantization = item.quantization
    scales = [] if quantization is None or quantization.scale is None else quantization.scale
    zeros = [] if quantization is None or quantization.zeroPoint is None else quantization.zeroPoint
    return TfliteTensor(
        name=item.name.decode(),
        shape=_indices(item.shape),
        dtype=DTYPES[_names("TensorType")[item.type]],
        stored=stored,
        scales=tuple(map(float, scales)),
        zero_points=tuple(map(int, zeros)),
        axis=quantization.quantizedDimension if quantization is not None else 0,
    )


def _ends(graph: Any, named: Any, indices: tuple[int, ...]) -> dict[str, int]:  # noqa: ANN401
    """Return name → tensor index of inputs or outputs, in the graph's order."""
    names = {item.tensorIndex: item.name.decode() for item in named or ()}
    tensors = graph.tensors
    return {names.get(i) or tensors[_index(i, len(tensors))].name.decode(): i for i in indices}


def _metadata(model: Any, name: bytes) -> bytes:  # noqa: ANN401
    """Return the bytes of an entry of the metadata; none where there is no such entry."""
    for entry in model.metadata or ():
        if entry.name == name:
            data = model.buffers[_index(entry.buffer, len(model.buffers))].data
            return b"" if data is None else bytes(data)
    return b""


def _index(value: int, length: int) -> int:
    if not 0 <= value < length:
        raise ValueError(f"index {value} where there are {length}")
    return int(value)


def _indices(values: Any) -> tuple[int, ...]:  # noqa: ANN401
    return () if values is None else tuple(int(value) for value in values)


def _faults(model: Any, graph: TfliteGraph) -> Iterator[str]:  # noqa: ANN401
    """Yield defects that make a runtime fail or crash."""
    for tensor in graph.tensors:
        if any(axis < 0 for axis in tensor.shape) or math.prod(tensor.shape) > MAX_ELEMENTS:
            yield f"tensor {tensor.name} has the shape {list(tensor.shape)}"
        if tensor.stored is not None and len(tensor.stored) != tensor.size_bytes:
            yield f"tensor {tensor.name} stores {len(tensor.stored)} of {tensor.size_bytes} bytes"
        channels = tensor.shape[tensor.axis] if len(tensor.scales) > 1 else 1
        if tensor.scales and len(tensor.scales) != channels:
            yield f"tensor {tensor.name} has {len(tensor.scales)} scales for {channels} channels"
        if not all(0 < scale < math.inf for scale in tensor.scales):
            yield f"tensor {tensor.name} has a scale that is not a positive number"
    known = {*graph.inputs.values()}
    known |= {i for i, tensor in enumerate(graph.tensors) if tensor.stored is not None}
    for item, stored in zip(graph.operations, model.subgraphs[0].operators, strict=True):
        options = stored.builtinOptions
        if any(getattr(options, name, 1) < 1 for name in POSITIVE):
            yield f"{item.name} has a stride, dilation or window below 1"
        if any(i != -1 and i not in known for i in item.inputs):
            yield f"{item.name} reads a tensor that nothing has written"
        if not all(0 <= i < len(graph.tensors) and i not in known for i in item.outputs):
            yield f"{item.name} writes a tensor that is there already, or none"
        known |= {*item.outputs}
    if not graph.inputs or not graph.outputs or not {*graph.outputs.values()} <= known:
        yield "inputs or outputs are missing"
