"""A Core ML package in memory: operations, constants, inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.runtime_bench.coreml_program.blob import packed_bytes


@dataclass(frozen=True)
class TensorType:
    """Element type and shape, as the program declares them.

    Attributes:
        dtype: element type in MIL's spelling: fp16, fp32, int32, uint4, bool, string ...
        shape: axis lengths; None for a length that is known at run time only.
    """

    dtype: str
    shape: tuple[int | None, ...] = ()

    @property
    def count(self) -> int | None:
        """Number of elements; None where an axis is dynamic."""
        sides = [side for side in self.shape if side is not None]
        return math.prod(sides) if len(sides) == len(self.shape) else None

    @property
    def size_bytes(self) -> int | None:
        """Packed size in bytes; None where an axis is dynamic, and for strings."""
        count = self.count
        if count is None or self.dtype == "string":
            return None
        return packed_bytes(self.dtype, count)

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join('?' if s is None else str(s) for s in self.shape)}]"


@dataclass(frozen=True)
class Variable:
    """A named tensor of the program.

    Attributes:
        name: unique name.
        type: element type and shape.
    """

    name: str
    type: TensorType


@dataclass(frozen=True)
class Constant:
    """A stored value.

    Attributes:
        type: element type and shape.
        value: elements in that shape, types narrower than a byte as a byte each; or a text.
        in_blob: whether it is stored in the weights file rather than in the program.
    """

    type: TensorType
    value: NDArray[np.generic] | str
    in_blob: bool

    @property
    def stored_bytes(self) -> int:
        """Stored size in bytes."""
        return self.type.size_bytes or len(str(self.value))


@dataclass(frozen=True)
class Operation:
    """One operation of the program.

    Attributes:
        kind: MIL operation, for example ``conv``.
        name: layer name, which converters derive from the source node.
        inputs: parameter → names of variables or inline constants, more than one for parameters
            that take a list (``values`` of ``concat``).
        outputs: variables that it defines.
    """

    kind: str
    name: str
    inputs: Mapping[str, tuple[str | Constant, ...]]
    outputs: tuple[Variable, ...]

    def reads(self) -> tuple[str, ...]:
        """Return the names of the variables that it reads."""
        return tuple(item for items in self.inputs.values() for item in items if type(item) is str)


@dataclass(frozen=True)
class Feature:
    """An input or output of the package, as declared to apps.

    Attributes:
        name: name in the description and in the program.
        type: type of the program's variable.
        image: ``RGB``, ``BGR``, ``GRAYSCALE`` or ``GRAYSCALE_FLOAT16`` pixel buffers; None for a
            multi-array.
        shapes: accepted shapes, the default first; images as [1, channels, height, width].
        bounds: smallest and largest length of each axis (None: unbounded) where any size between is
            accepted; () otherwise.
        default: value of an omitted optional input.
        optional: whether it may be omitted.
    """

    name: str
    type: TensorType
    image: str | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    bounds: tuple[tuple[int, int | None], ...] = ()
    default: float = 0.0
    optional: bool = False


@dataclass(frozen=True)
class Package:
    """The default function of an ML program, with its constants.

    Attributes:
        path: ``.mlpackage`` folder.
        specification_version: 7 for iOS 16, 8 for iOS 17, 9 for iOS 18.
        opset: MIL operator set of the function, for example ``CoreML7``.
        inputs: inputs, in the order of the description.
        outputs: outputs, in the order of the description.
        operations: operations in execution order, constants included.
        metadata: author, licence, version, description and user-defined entries.
        size_bytes: size of the program and the weights files.
    """

    path: Path
    specification_version: int
    opset: str
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    operations: tuple[Operation, ...]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    size_bytes: int = 0

    def constants(self) -> dict[str, Constant]:
        """Return variable → value of the plain constants (``const``)."""
        return {
            operation.outputs[0].name: item
            for operation in self.operations
            if operation.kind == "const"
            for item in operation.inputs["val"]
            if isinstance(item, Constant)
        }

    def variables(self) -> dict[str, Variable]:
        """Return name → variable of the program, its inputs included."""
        inputs = {item.name: Variable(item.name, item.type) for item in self.inputs}
        return inputs | {v.name: v for operation in self.operations for v in operation.outputs}
