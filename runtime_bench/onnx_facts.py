"""What an ONNX file holds, read from the file alone."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import msgspec
import onnx

from styleexport.core.errors import BadArtifact, first_line
from styleexport.runtime_bench.onnx_macs import macs_by_node


class OnnxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one ONNX file.

    Attributes:
        opset: of the default domain.
        size_bytes: of the file.
        macs: of convolutions and matrix products; 0 where sizes are open.
        inputs: name, type and shape in words.
        outputs: the same.
        ops: operation → count, most frequent first.
        bytes_by_dtype: stored constants, by element type.
    """

    opset: int
    size_bytes: int
    macs: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: dict[str, int]
    bytes_by_dtype: dict[str, int]


def describe(path: Path) -> OnnxFacts:
    """Return the facts of an ONNX file.

    Raises:
        BadArtifact: the file is truncated or is not ONNX.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:
        raise BadArtifact(
            f"{path} is not a whole ONNX file: {first_line(error)}; export the network again"
        ) from error
    stored: Counter[str] = Counter()
    for item in model.graph.initializer:
        kind = onnx.helper.tensor_dtype_to_np_dtype(item.data_type)
        stored[str(kind)] += math.prod(item.dims) * kind.itemsize
    return OnnxFacts(
        opset=next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx")),
        size_bytes=path.stat().st_size,
        macs=sum(macs_by_node(model).values()),
        inputs=tuple(_in_words("input", value) for value in model.graph.input),
        outputs=tuple(_in_words("output", value) for value in model.graph.output),
        ops=dict(Counter(node.op_type for node in model.graph.node).most_common()),
        bytes_by_dtype=dict(stored.most_common()),
    )


def _in_words(kind: str, value: onnx.ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    shape = [dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return f"{kind} {value.name}: {dtype} [{', '.join(shape)}]"
