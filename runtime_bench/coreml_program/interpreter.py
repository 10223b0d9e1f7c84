"""Reference interpreter: evaluates a Core ML program with torch, one operation at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from styleexport.core import plugins
from styleexport.core.errors import BadArtifact, StyleExportError, UnsupportedOp, first_line
from styleexport.runtime_bench.coreml_program.op import STORAGE, Op, Value
from styleexport.runtime_bench.coreml_program.program import (
    Constant,
    Operation,
    Package,
    Variable,
)

FAMILIES = "styleexport.runtime_bench.coreml_program.ops"
FOLDER = "runtime_bench/coreml_program/ops"
# Operations whose values are among those that they read, or 0: float16 in, float16 out.
MOVING = frozenset(
    {
        "concat",
        "expand_dims",
        "max_pool",
        "relu",
        "reshape",
        "slice_by_index",
        "squeeze",
        "transpose",
        "upsample_nearest_neighbor",
    }
)


@cache
def known_operations() -> Mapping[str, Op]:
    """Return MIL name → operation for every operation that the interpreter computes."""
    known: dict[str, Op] = {}
    for family in plugins.names(FAMILIES):
        operations: dict[str, Op] = plugins.load(FAMILIES, family, "OPS")  # pyright: ignore[reportAssignmentType]
        known |= operations
    return known


class Interpreter:
    """A program with its constants unpacked.

    Args:
        package: package that holds the program.
        rounding: whether tensors that the program declares fp16 are rounded to fp16 after the
            operation that computes them. Within an operation all arithmetic is float32.

    Raises:
        UnsupportedOp: the program holds an unknown operation.
        BadArtifact: a compressed constant cannot be unpacked.
    """

    def __init__(self, package: Package, *, rounding: bool) -> None:
        self._package = package
        self._rounding = rounding
        self._exact = _exact_outputs(package)
        values: dict[str, Value] = {}
        steps: list[tuple[Operation, Op]] = []
        for operation in package.operations:
            if operation.kind == "const":
                constant = operation.inputs["val"][0]
                assert isinstance(constant, Constant), operation.name
                values[operation.outputs[0].name] = _value(constant)
                continue
            op = known_operations().get(operation.kind)
            if op is None:
                raise _unknown(package, operation)
            if operation.kind.startswith("constexpr_"):
                values |= self._evaluate(operation, op, values)
            else:
                steps.append((operation, op))
        read = {name for operation, _ in steps for name in operation.reads()}
        read |= {feature.name for feature in package.outputs}
        self._steps = steps
        self._constants = {name: value for name, value in values.items() if name in read}
        self._last_read = {
            name: index for index, (operation, _) in enumerate(steps) for name in operation.reads()
        }

    def run(self, inputs: Mapping[str, Tensor], keep: Collection[str] = ()) -> dict[str, Tensor]:
        """Return name → tensor of the outputs and of the tensors in ``keep``.

        A tensor is freed after its last reader.

        Args:
            inputs: name → tensor of every input of the program, floats as float32.
            keep: names of further tensors to return; unknown ones are ignored.

        Raises:
            BadArtifact: an operation fails, or returns another shape than the program declares.
        """
        returned = {feature.name for feature in self._package.outputs} | set(keep)
        values: dict[str, Value] = dict(self._constants)
        for feature in self._package.inputs:
            values[feature.name] = self._held(inputs[feature.name], feature.type.dtype)
        with torch.inference_mode():
            for index, (operation, op) in enumerate(self._steps):
                values |= self._evaluate(operation, op, values)
                for name in {*operation.reads(), *(item.name for item in operation.outputs)}:
                    if self._last_read.get(name, -1) <= index and name not in returned:
                        values.pop(name, None)
        return {
            name: value
            for name, value in values.items()
            if name in returned and isinstance(value, Tensor)
        }

    def _evaluate(
        self, operation: Operation, op: Op, values: Mapping[str, Value]
    ) -> dict[str, Tensor]:
        arguments = {
            name: [values[item] if isinstance(item, str) else _value(item) for item in items]
            for name, items in operation.inputs.items()
        }
        try:
            results = op(arguments)
        except Exception as error:
            raise BadArtifact(
                f"{self._package.path}: {operation.kind} {operation.name} fails: "
                f"{first_line(error)}; export the network again"
            ) from error
        self._check(operation, results)
        return {
            item.name: result if item.name in self._exact else self._held(result, item.type.dtype)
            for item, result in zip(operation.outputs, results, strict=True)
        }

    def _held(self, value: Tensor, dtype: str) -> Tensor:
        """Return a tensor in the storage of its declared type."""
        held = value.to(STORAGE[dtype])
        return held.half().float() if self._rounding and dtype == "fp16" else held

    def _check(self, operation: Operation, results: Sequence[Tensor]) -> None:
        shapes = [list(result.shape) for result in results]
        if len(shapes) != len(operation.outputs) or not all(map(_fits, operation.outputs, results)):
            declared = ", ".join(str(item.type) for item in operation.outputs)
            raise BadArtifact(
                f"{self._package.path}: {operation.kind} {operation.name} makes {shapes}, declared "
                f"{declared}; export the network again"
            )


def _exact_outputs(package: Package) -> frozenset[str]:
    """Return the fp16 tensors that hold fp16 values as they are computed: rounding changes none."""
    half = {feature.name for feature in package.inputs if feature.type.dtype == "fp16"}
    half |= {
        item.name
        for operation in package.operations
        for item in operation.outputs
        if item.type.dtype == "fp16"
    }

    def moves_half(operation: Operation) -> bool:
        # A damaged program may lack the parameter; constants may be written in place of a name.
        moved = operation.inputs.get("values" if operation.kind == "concat" else "x", ())
        return all(isinstance(item, str) and item in half for item in moved)

    return frozenset(
        item.name
        for operation in package.operations
        if operation.kind in MOVING and moves_half(operation)
        for item in operation.outputs
        if item.name in half
    )


def _fits(item: Variable, result: Tensor) -> bool:
    shape = item.type.shape
    return item.type.dtype in STORAGE and (
        len(shape) == result.dim()
        and all(side in (None, own) for side, own in zip(shape, result.shape, strict=True))
    )


def _value(constant: Constant) -> Value:
    """Return a constant as an argument of operations."""
    if isinstance(constant.value, str):
        return constant.value
    # numpy widens types that torch lacks.
    wide = constant.value.astype(np.dtype(str(STORAGE[constant.type.dtype]).split(".")[1]))
    return torch.from_numpy(wide)


def _unknown(package: Package, operation: Operation) -> StyleExportError:
    family = _family(operation.kind)
    where = f"{FOLDER}/{family}.py" if family else f"a file of {FOLDER}"
    return UnsupportedOp(
        f"{package.path}: the reference runner does not know the operation {operation.kind} of "
        f"layer {operation.name}: add a function {operation.kind} to {where}"
    )


def _family(kind: str) -> str | None:
    """Return the coremltools module that defines an operation; None for an unknown one."""
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    versions: Iterable[type] = SSAOpRegistry.core_ops.get(kind, {}).values()
    return next((version.__module__.rpartition(".")[2] for version in versions), None)
