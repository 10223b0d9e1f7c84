"""A Core ML program at one size: what its operations read, in which shapes, and what they cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from styleexport.runtime_bench.coreml_program.program import (
    Constant,
    Operation,
    Package,
    TensorType,
)
from styleexport.runtime_bench.formats._coreml_shapes import (
    declared_types,
    is_flexible,
    types_at_largest,
)
from styleexport.runtime_bench.formats._liveness import GraphStep, peak_bytes

CONVOLUTIONS = ("conv", "conv_transpose")
# Operation that makes an int8 weight → its parameter that holds the integers.
INT8_SOURCES = {
    "constexpr_affine_dequantize": "quantized_data",
    "constexpr_blockwise_shift_scale": "data",
    "dequantize": "input",
}
FLOATS = ("fp16", "fp32", "fp64")


@dataclass(frozen=True)
class CoremlGraph:
    """The default function of a package.

    Attributes:
        package: read from disk.
        types: of every variable; at the largest size where the package lists several.
    """

    package: Package
    types: Mapping[str, TensorType]

    @classmethod
    def of(cls, package: Package) -> CoremlGraph:
        """Return the graph, its shapes at the largest size where they follow from that."""
        types = None
        if any(is_flexible(feature) for feature in package.inputs):
            types = types_at_largest(package)
        return cls(package, types or declared_types(package))

    @cached_property
    def producers(self) -> Mapping[str, Operation]:
        """Variable → the operation that makes it."""
        return {item.name: op for op in self.package.operations for item in op.outputs}

    @cached_property
    def weights(self) -> frozenset[str]:
        """Variables that come from constants alone."""
        found: set[str] = set()
        for operation in self.package.operations:
            if found.issuperset(operation.reads()):
                found.update(item.name for item in operation.outputs)
        return frozenset(found)

    @cached_property
    def steps(self) -> tuple[Operation, ...]:
        """The operations that compute something from the inputs."""
        return tuple(
            operation
            for operation in self.package.operations
            if not self.weights.issuperset(item.name for item in operation.outputs)
        )

    def type_of(self, operation: Operation, parameter: str) -> TensorType | None:
        """Return the type of what an operation reads; None where it does not read that."""
        items = operation.inputs.get(parameter)
        if not items:
            return None
        return self.types[items[0]] if isinstance(items[0], str) else items[0].type

    def constant(self, operation: Operation, parameter: str) -> NDArray[np.generic] | str | None:
        """Return the constant that an operation reads; None where it is computed or left out."""
        items = operation.inputs.get(parameter)
        item = items[0] if items else None
        if isinstance(item, str):
            maker = self.producers.get(item)
            item = maker.inputs["val"][0] if maker and maker.kind == "const" else None
        return item.value if isinstance(item, Constant) else None

    def integers(self, operation: Operation, parameter: str) -> tuple[int, ...]:
        """Return a constant as integers, empty where there is none."""
        value = self.constant(operation, parameter)
        return tuple(map(int, value.flatten())) if isinstance(value, np.ndarray) else ()

    def macs(self, operation: Operation) -> int:
        """Return the multiply-accumulates of an operation; 0 where a shape is open."""
        made = self.types[operation.outputs[0].name] if operation.outputs else None
        x, weight = (self.type_of(operation, name) for name in ("x", "weight"))
        if made is None or x is None:
            return 0
        if operation.kind == "matmul":
            turned = bool(sum(self.integers(operation, "transpose_x")))
            return _product(made.count, x.shape[-2 if turned else -1])
        if weight is None or operation.kind not in (*CONVOLUTIONS, "linear"):
            return 0
        places = x if operation.kind == "conv_transpose" else made
        return _product(places.count, *weight.shape[1:])

    def int8_mac_share(self) -> float:
        """Return the share of the MACs whose operands are both integers made floats, 0..1.

        That is as the program is written. Whether a device computes them in integers is its own
        choice: the Neural Engine does from A17 Pro and M4 on, the CPU and the GPU do not.
        """
        total = sum(map(self.macs, self.steps))
        quantized = sum(self.macs(step) for step in self.steps if self.is_int8(step))
        return round(quantized / total, 4) if total else 0.0

    def is_int8(self, operation: Operation) -> bool:
        """Whether both operands of a convolution or product are integers made floats."""
        x, weight = (operation.inputs.get(name, ("",))[0] for name in ("x", "weight"))
        if not isinstance(x, str) or not isinstance(weight, str):
            return False
        reader, maker = self.producers.get(x), self.producers.get(weight)
        if reader is None or maker is None or reader.kind != "dequantize":
            return False
        data = self.type_of(maker, INT8_SOURCES.get(maker.kind, ""))
        return data is not None and data.dtype in ("int8", "uint8")

    def peak(self) -> int | None:
        """Return the most bytes that activations take at once, None where a shape is open."""
        steps: list[GraphStep] = []
        inputs = {item.name: self.types[item.name].size_bytes for item in self.package.inputs}
        known = {name: size for name, size in inputs.items() if size is not None}
        for operation in self.steps:
            writes = {item.name: self.types[item.name].size_bytes for item in operation.outputs}
            sizes = {name: size for name, size in writes.items() if size is not None}
            if len(sizes) < len(writes):
                return None
            steps.append(GraphStep(operation.reads(), sizes))
        if len(known) < len(inputs):
            return None
        return peak_bytes(steps, known, [item.name for item in self.package.outputs])

    @cached_property
    def precisions(self) -> Counter[str]:
        """Float element type → how many activations have it."""
        made = (self.types[item.name].dtype for step in self.steps for item in step.outputs)
        return Counter(dtype for dtype in made if dtype in FLOATS)


def _product(*sides: int | None) -> int:
    """Return the product, 0 where one is not known."""
    return math.prod(side or 0 for side in sides)


def name_all(found: Sequence[Operation]) -> str:
    """Return where operations are, in words: the first and how many more."""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].kind} {found[0].name}{more}"
