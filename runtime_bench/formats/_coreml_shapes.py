"""Shape inference of a Core ML program at its largest enumerated size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from styleexport.runtime_bench.coreml_program.program import (
    Constant,
    Feature,
    Operation,
    Package,
    TensorType,
)

if TYPE_CHECKING:
    from torch import Tensor

    from styleexport.runtime_bench.coreml_program.op import Op, Value

Types = Mapping[str, TensorType]
# Errors of operations that the interpreter lacks, or whose shape depends on values.
UNKNOWN_SHAPE_ERRORS = (
    ArithmeticError,
    AssertionError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def declared_types(package: Package) -> Types:
    """Return variable → element type and shape as the program declares them."""
    return {name: variable.type for name, variable in package.variables().items()}


def is_flexible(feature: Feature) -> bool:
    """Whether an input takes more than one shape."""
    return len(feature.shapes) > 1 or any(low != high for low, high in feature.bounds)


def types_at_largest(package: Package) -> Types | None:
    """Return variable → type with each input at its largest enumerated shape.

    The program runs on torch's meta tensors, which have shapes and no values; only integers that
    shapes are computed from have values. None where an input takes any size of a range, or where an
    operation's shape does not follow from shapes alone.
    """
    if any(low != high for feature in package.inputs for low, high in feature.bounds):
        return None
    if not all(feature.shapes for feature in package.inputs):
        return None
    try:
        values = _run_on_shapes(package)
    except UNKNOWN_SHAPE_ERRORS:
        return None
    return {
        name: TensorType(kind.dtype, tuple(values[name].shape)) if name in values else kind
        for name, kind in declared_types(package).items()
    }


def _run_on_shapes(package: Package) -> dict[str, Tensor]:
    import torch

    values: dict[str, Value] = {
        feature.name: torch.empty(max(feature.shapes, key=math.prod), device="meta")
        for feature in package.inputs
    }
    for operation in package.operations:
        if operation.kind == "const" or operation.kind.startswith("constexpr_"):
            for item in operation.outputs:
                stored = operation.inputs["val"][0] if operation.kind == "const" else None
                values[item.name] = _stored(stored, item.type)
        else:
            values |= _evaluate(operation, values)
    return {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}


def _stored(value: Constant | str | None, kind: TensorType) -> Value:
    """Return a constant, with values where they may be parameters of an operation."""
    import torch

    from styleexport.runtime_bench.coreml_program.op import STORAGE

    if not isinstance(value, Constant) or (value.in_blob and kind.dtype.startswith("fp")):
        return torch.empty([side or 0 for side in kind.shape], device="meta")
    if isinstance(value.value, str):
        return value.value
    return torch.tensor(value.value.tolist(), dtype=STORAGE[kind.dtype])


def _evaluate(operation: Operation, values: Mapping[str, Value]) -> dict[str, Value]:
    import torch

    from styleexport.runtime_bench.coreml_program.interpreter import known_operations

    op = known_operations()[operation.kind]
    arguments = {
        name: [values[i] if isinstance(i, str) else _stored(i, i.type) for i in items]
        for name, items in operation.inputs.items()
    }
    arguments = _on_one_device(op, arguments)
    try:
        results = op(arguments)
    except (RuntimeError, NotImplementedError):  # it creates a tensor of its own, on the CPU
        with torch.device("meta"):
            results = op(arguments)
    return {item.name: value for item, value in zip(operation.outputs, results, strict=True)}


def _on_one_device(op: Op, arguments: dict[str, list[Value]]) -> dict[str, list[Value]]:
    """Return the arguments; all tensors become meta tensors where one is."""
    from torch import Tensor

    from styleexport.runtime_bench.coreml_program.op import Tensors

    kinds: set[object] = {Tensor, Tensors}
    tensors = {name for name in arguments if op.kinds.get(name) in kinds}
    held = [v for name in tensors for v in arguments[name] if isinstance(v, Tensor)]
    if not any(value.is_meta for value in held):
        return arguments
    return {
        name: [v.to("meta") if isinstance(v, Tensor) and name in tensors else v for v in items]
        for name, items in arguments.items()
    }
