"""What a Core ML package says: its operations, constants, inputs and outputs."""

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
        dtype: as MIL writes it: fp16, fp32, int32, uint4, bool, string ...
        shape: None where a side is known only when the program runs.
    """

    dtype: str
    shape: tuple[int | None, ...] = ()

    @property
    def count(self) -> int | None:
        """Numbers in the tensor; None where a side is open."""
        sides = [side for side in self.shape if side is not None]
        return math.prod(sides) if len(sides) == len(self.shape) else None

    @property
    def size_bytes(self) -> int | None:
        """Bytes of the tensor when packed; None where a side is open and for strings."""
        count = self.count
        if count is None or self.dtype == "string":
            return None
        return packed_bytes(self.dtype, count)

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join('?' if s is None else str(s) for s in self.shape)}]"


@dataclass(frozen=True)
class Variable:
    """A named tensor of the program."""

    name: str
    type: TensorType


@dataclass(frozen=True)
class Constant:
    """A value that the package stores.

    Attributes:
        type: its element type and shape.
        value: the numbers in that shape, types narrower than a byte widened to one; or the text.
        in_blob: whether it lies in the weights file rather than in the program.
    """

    type: TensorType
    value: NDArray[np.generic] | str
    in_blob: bool

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes in the package."""
        return self.type.size_bytes or len(str(self.value))


@dataclass(frozen=True)
class Operation:
    """One step of the program.

    Attributes:
        kind: the MIL operation, for example ``conv``.
        name: of the layer; converters derive it from the source node.
        inputs: by parameter; each holds names of variables or constants written in place, more than
            one for parameters that take a list (``values`` of ``concat``).
        outputs: the variables it defines.
    """

    kind: str
    name: str
    inputs: Mapping[str, tuple[str | Constant, ...]]
    outputs: tuple[Variable, ...]

    def reads(self) -> tuple[str, ...]:
        """Return the names of the variables it reads."""
        return tuple(item for items in self.inputs.values() for item in items if type(item) is str)


@dataclass(frozen=True)
class Feature:
    """An input or output of the package, as an app sees it.

    Attributes:
        name: in the description and in the program.
        type: of the program's variable.
        image: ``RGB``, ``BGR``, ``GRAYSCALE`` or ``GRAYSCALE_FLOAT16`` pixel buffers; None for a
            multi-array.
        shapes: that it takes, the default first; images as [1, channels, height, width].
        bounds: smallest and largest side by axis where any size between is taken (None: unbounded);
            empty otherwise.
        default: of an input that may be left out.
        optional: whether it may be left out.
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
    """The main function of an ML program, with its constants.

    Attributes:
        path: the ``.mlpackage`` folder.
        specification_version: 7 for iOS 16, 8 for iOS 17, 9 for iOS 18.
        opset: the MIL operator set of the function, for example ``CoreML7``.
        inputs: of the package.
        outputs: of the package.
        operations: in order, constants among them.
        metadata: author, licence, version, description and the writer's own entries.
        size_bytes: of the program and the weights on disk.
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
        """Return the plain constants (``const``) by name of variable."""
        return {
            operation.outputs[0].name: item
            for operation in self.operations
            if operation.kind == "const"
            for item in operation.inputs["val"]
            if isinstance(item, Constant)
        }

    def variables(self) -> dict[str, Variable]:
        """Return every variable of the program by name, its inputs among them."""
        inputs = {item.name: Variable(item.name, item.type) for item in self.inputs}
        return inputs | {v.name: v for operation in self.operations for v in operation.outputs}
