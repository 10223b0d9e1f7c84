"""A Core ML program at one size: data flow, shapes and cost of its operations."""

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
# Operation that dequantizes an int8 weight → its parameter that holds the integers.
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
        package: package that holds it.
        types: variable → element type and shape; at the largest size where there are several.
    """

    package: Package
    types: Mapping[str, TensorType]

    @classmethod
    def of(cls, package: Package) -> CoremlGraph:
        """Return the graph of a package, at its largest size where shapes follow from that."""
        types = None
        if any(is_flexible(feature) for feature in package.inputs):
            types = types_at_largest(package)
        return cls(package, types or declared_types(package))

    @cached_property
    def producers(self) -> Mapping[str, Operation]:
        """Variable → operation that computes it."""
        return {item.name: op for op in self.package.operations for item in op.outputs}

    @cached_property
    def weights(self) -> frozenset[str]:
        """Variables that are computed from constants alone."""
        names: set[str] = set()
        for operation in self.package.operations:
            if names.issuperset(operation.reads()):
                names.update(item.name for item in operation.outputs)
        return frozenset(names)

    @cached_property
    def steps(self) -> tuple[Operation, ...]:
        """Operations that depend on the inputs, in order."""
        return tuple(
            operation
            for operation in self.package.operations
            if not self.weights.issuperset(item.name for item in operation.outputs)
        )

    def type_of(self, operation: Operation, parameter: str) -> TensorType | None:
        """Return the type of an operation's parameter; None where it is absent."""
        items = operation.inputs.get(parameter)
        if not items:
            return None
        return self.types[items[0]] if isinstance(items[0], str) else items[0].type

    def constant(self, operation: Operation, parameter: str) -> NDArray[np.generic] | str | None:
        """Return the constant of an operation's parameter; None where it is computed or absent."""
        items = operation.inputs.get(parameter)
        item = items[0] if items else None
        if isinstance(item, str):
            source = self.producers.get(item)
            item = source.inputs["val"][0] if source and source.kind == "const" else None
        return item.value if isinstance(item, Constant) else None

    def integers(self, operation: Operation, parameter: str) -> tuple[int, ...]:
        """Return the integers of an operation's constant parameter; () where there is none."""
        value = self.constant(operation, parameter)
        return tuple(map(int, value.flatten())) if isinstance(value, np.ndarray) else ()

    def macs(self, operation: Operation) -> int:
        """Return the multiply-accumulates of an operation; 0 where a shape is dynamic."""
        output = self.types[operation.outputs[0].name] if operation.outputs else None
        x, weight = (self.type_of(operation, name) for name in ("x", "weight"))
        if output is None or x is None:
            return 0
        if operation.kind == "matmul":
            transposed = bool(sum(self.integers(operation, "transpose_x")))
            return _product(output.count, x.shape[-2 if transposed else -1])
        if weight is None or operation.kind not in (*CONVOLUTIONS, "linear"):
            return 0
        positions = x if operation.kind == "conv_transpose" else output
        return _product(positions.count, *weight.shape[1:])

    def int8_mac_share(self) -> float:
        """Return the share of the MACs whose operands are both dequantized integers, 0..1.

        That is as the program is written. Whether it is computed in integers depends on the device:
        the Neural Engine does from A17 Pro and M4 on, the CPU and the GPU do not.
        """
        total = sum(map(self.macs, self.steps))
        quantized = sum(self.macs(step) for step in self.steps if self.is_int8(step))
        return round(quantized / total, 4) if total else 0.0

    def is_int8(self, operation: Operation) -> bool:
        """Whether both operands of a convolution or product are dequantized integers."""
        x, weight = (operation.inputs.get(name, ("",))[0] for name in ("x", "weight"))
        if not isinstance(x, str) or not isinstance(weight, str):
            return False
        of_x, of_weight = self.producers.get(x), self.producers.get(weight)
        if of_x is None or of_weight is None or of_x.kind != "dequantize":
            return False
        data = self.type_of(of_weight, INT8_SOURCES.get(of_weight.kind, ""))
        return data is not None and data.dtype in ("int8", "uint8")

    def peak(self) -> int | None:
        """Return the peak of activation bytes; None where a shape is dynamic."""
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
        """Float element type → number of activations of it."""
        dtypes = (self.types[item.name].dtype for step in self.steps for item in step.outputs)
        return Counter(dtype for dtype in dtypes if dtype in FLOATS)


def _product(*sides: int | None) -> int:
    """Return the product; 0 where a factor is unknown."""
    return math.prod(side or 0 for side in sides)


def location_of(operations: Sequence[Operation]) -> str:
    """Return the name of the first operation and the number of others."""
    more = f" and {len(operations) - 1} more" if len(operations) > 1 else ""
    return f"{operations[0].kind} {operations[0].name}{more}"
