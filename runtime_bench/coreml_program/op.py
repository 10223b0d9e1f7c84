"""Operations as torch functions, whose parameters are named like MIL's inputs.

The annotation of a parameter chooses its conversion: ``Tensor`` is passed as it is, ``int``,
``float``, ``bool`` and ``str`` as one value, ``Ints`` and ``Bools`` as a tuple, ``Tensors`` as all
tensors of an input that takes several. A new operation is one more function in a file of ``ops``.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Ints = tuple[int, ...]
Bools = tuple[bool, ...]
Tensors = tuple[Tensor, ...]
Value = Tensor | str
Function = Callable[..., Tensor | Sequence[Tensor]]

# Declared type → torch type that stores it. Floats are float32; types that torch lacks are wider.
STORAGE = {
    "fp16": torch.float32,
    "fp32": torch.float32,
    "fp64": torch.float32,
    "bool": torch.bool,
    "int4": torch.int8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint1": torch.uint8,
    "uint2": torch.uint8,
    "uint3": torch.uint8,
    "uint4": torch.uint8,
    "uint6": torch.uint8,
    "uint8": torch.uint8,
    "uint16": torch.int32,
    "uint32": torch.int64,
    "uint64": torch.int64,
}


def _one(value: Value) -> Tensor:
    assert isinstance(value, Tensor), f"expected a tensor, got the text {value!r}"
    return value


def _all(value: Value) -> list[typing.Any]:
    return _one(value).flatten().tolist()


CONVERSIONS: Mapping[object, Callable[[Value], object]] = {
    Tensor: _one,
    str: str,
    int: lambda value: int(_one(value).item()),
    float: lambda value: float(_one(value).item()),
    bool: lambda value: bool(_one(value).item()),
    Ints: lambda value: tuple(map(int, _all(value))),
    Bools: lambda value: tuple(map(bool, _all(value))),
}


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        function: its arithmetic.
        kinds: parameter → annotation, without None.
    """

    function: Function
    kinds: Mapping[str, object]

    @classmethod
    def of(cls, function: Function) -> Op:
        """Return the operation of a function."""
        hints = typing.get_type_hints(function)
        names = inspect.signature(function).parameters
        return cls(function, {name: _without_none(hints[name]) for name in names})

    def __call__(self, inputs: Mapping[str, Sequence[Value]]) -> tuple[Tensor, ...]:
        """Return the outputs.

        Args:
            inputs: parameter → its values, more than one for parameters that take a list.

        Raises:
            TypeError: an input is unknown, or a required one is missing.
        """
        arguments: dict[str, object] = {}
        for name, values in inputs.items():
            if name not in self.kinds:
                raise TypeError(f"input {name} is not known, expected {', '.join(self.kinds)}")
            kind = self.kinds[name]
            if kind == Tensors:
                arguments[name] = tuple(map(_one, values))
            else:
                arguments[name] = CONVERSIONS[kind](values[0])
        outputs = self.function(**arguments)
        return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _without_none(kind: object) -> object:
    if isinstance(kind, types.UnionType):
        (kind,) = [item for item in typing.get_args(kind) if item is not type(None)]
    return kind


def operations(namespace: Mapping[str, object]) -> dict[str, Op]:
    """Return name → operation of the public functions that a module defines.

    Args:
        namespace: the module's ``globals()``.
    """
    return {
        name: Op.of(value)
        for name, value in namespace.items()
        if inspect.isfunction(value)
        and value.__module__ == namespace["__name__"]
        and not name.startswith("_")
    }
