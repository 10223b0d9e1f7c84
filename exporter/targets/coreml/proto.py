"""Values and operations of ML programs, as protocol buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.proto import MIL_pb2
from numpy.typing import NDArray

# Protobuf's generated classes carry no types.
Proto = Any


def value_of(content: NDArray[np.generic] | str) -> Proto:
    """Return numbers or a text as a value that stands in the program itself."""
    if isinstance(content, str):
        made: Proto = MIL_pb2.Value()
        made.type.tensorType.dataType = MIL_pb2.DataType.Value("STRING")
        made.immediateValue.tensor.strings.values.append(content)
        return made
    made = typed(content)
    tensor = made.immediateValue.tensor
    if content.dtype == np.float32:
        tensor.floats.values.extend(content.reshape(-1).tolist())
    elif content.dtype == np.int32:
        tensor.ints.values.extend(content.reshape(-1).tolist())
    else:
        tensor.bytes.values = np.ascontiguousarray(content).tobytes()
    return made


def typed(content: NDArray[np.generic]) -> Proto:
    """Return a value of the type and shape of an array, still without numbers."""
    made: Proto = MIL_pb2.Value()
    made.type.tensorType.dataType = MIL_pb2.DataType.Value(content.dtype.name.upper())
    made.type.tensorType.rank = content.ndim
    for side in content.shape:
        made.type.tensorType.dimensions.add().constant.size = side
    return made


def operation(kind: str, name: str, of: Proto) -> Proto:
    """Return an operation without inputs that makes one tensor, named as itself.

    Args:
        kind: name of the operation in MIL.
        name: its own and the tensor's.
        of: the tensor's type.
    """
    made: Proto = MIL_pb2.Operation()
    made.type = kind
    made.attributes["name"].CopyFrom(value_of(name))
    output = made.outputs.add()
    output.name = name
    output.type.CopyFrom(of)
    return made


def constant(name: str, content: NDArray[np.generic] | str) -> Proto:
    """Return the operation that makes a constant."""
    held = value_of(content)
    made = operation("const", name, held.type)
    made.attributes["val"].CopyFrom(held)
    return made
