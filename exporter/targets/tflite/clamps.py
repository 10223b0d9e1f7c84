"""The clamp to 0..1 at the end of a ``.tflite`` file, as operations that a GPU takes.

clamp(x, 0, 1) = min(relu(x), 1), exactly. Converters write the left side as ``RELU_0_TO_1``, which
LiteRT's GPU delegate refuses (``tflite/tools/versioning/gpu_compatibility.cc`` of LiteRT 2.3): the
last operation of a file would run on the CPU, or `CompiledModel` would refuse the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

CLAMP, RELU, MINIMUM = (
    schema.BuiltinOperator.RELU_0_TO_1,
    schema.BuiltinOperator.RELU,
    schema.BuiltinOperator.MINIMUM,
)


def split_clamps(path: Path) -> None:
    """Replace each ``RELU_0_TO_1`` of a float32 file by a ``RELU`` and a ``MINIMUM``, in place."""
    model: Any = flatbuffer_utils.read_model(str(path))
    codes = [_builtin(code) for code in model.operatorCodes]
    if CLAMP not in codes:
        return
    relu, minimum = (_code(model, builtin) for builtin in (RELU, MINIMUM))
    for graph in model.subgraphs:
        one: int | None = None
        operators: list[Any] = []
        for operator in graph.operators:
            if codes[operator.opcodeIndex] != CLAMP:
                operators.append(operator)
                continue
            if one is None:
                one = _scalar(model, graph, 1.0)
            between = _like(graph, operator.outputs[0])
            operators.append(_operator(relu, operator.inputs, [between]))
            last = _operator(minimum, [between, one], operator.outputs)
            last.builtinOptionsType = schema.BuiltinOptions.MaximumMinimumOptions
            last.builtinOptions = schema.MaximumMinimumOptionsT()  # pyright: ignore[reportAttributeAccessIssue]
            operators.append(last)
        graph.operators = operators
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _builtin(code: Any) -> int:  # noqa: ANN401 - generated classes without types
    """Return the operator of a code; old files hold it in a field of one byte."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _code(model: Any, builtin: int) -> int:  # noqa: ANN401
    """Return the index of the code of an operator's first version; add it where there is none."""
    for index, code in enumerate(model.operatorCodes):
        if _builtin(code) == builtin and code.version == 1:
            return index
    added: Any = schema.OperatorCodeT()
    added.builtinCode = builtin
    added.deprecatedBuiltinCode = builtin
    added.version = 1
    model.operatorCodes.append(added)
    return len(model.operatorCodes) - 1


def _operator(code: int, inputs: list[int], outputs: list[int]) -> Any:  # noqa: ANN401
    operator: Any = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = list(inputs), list(outputs)
    return operator


def _scalar(model: Any, graph: Any, value: float) -> int:  # noqa: ANN401
    """Return the index of a new float32 scalar."""
    buffer: Any = schema.BufferT()
    buffer.data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor: Any = schema.TensorT()
    tensor.type, tensor.shape = schema.TensorType.FLOAT32, np.array([], np.int32)
    tensor.name, tensor.buffer = b"one", len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _like(graph: Any, index: int) -> int:  # noqa: ANN401
    """Return the index of a new activation of the shape of another tensor."""
    other = graph.tensors[index]
    tensor: Any = schema.TensorT()
    tensor.type, tensor.shape, tensor.shapeSignature = other.type, other.shape, other.shapeSignature
    # Buffer 0 is empty: the tensor holds no constant.
    tensor.name, tensor.buffer = b"clamp", 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
