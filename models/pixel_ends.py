"""First and last operations of a network, as one run of it shows them.

A run is recorded operation by operation, whatever the network was written in. Backwards from the
output, the bound of what a Tanh, Sigmoid or Clip leaves is followed through layout changes and
constant factors; forwards from a picture, constant factors and offsets are followed up to the first
layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

Bound = tuple[float, float]

MAX_DEPTH = 64
MAX_CONSTANTS = 4
NO_CONSTANTS = torch.empty(0)
# Operations whose values are values of their first input.
MOVES = frozenset(
    {
        *("alias", "clone", "contiguous", "copy", "detach", "lift_fresh_copy", "to", "_to_copy"),
        *("as_strided", "expand", "permute", "reshape", "_reshape_alias", "t", "transpose"),
        *("select", "slice", "split", "split_with_sizes", "squeeze", "unsqueeze", "view"),
        *("_unsafe_view", "flip", "roll", "pixel_shuffle", "pixel_unshuffle"),
        *("reflection_pad2d", "replication_pad2d", "avg_pool2d", "max_pool2d"),
        *("upsample_bilinear2d", "upsample_nearest2d"),
    }
)
BOUNDED: Mapping[str, Bound] = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "_softmax": (0.0, 1.0),
    "erf": (-1.0, 1.0),
    "sin": (-1.0, 1.0),
    "cos": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "relu6": (0.0, math.inf),
}
NAMES = {"hardsigmoid": "HardSigmoid", "_softmax": "Softmax", "relu": "ReLU", "relu6": "ReLU6"}


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation of a recorded run.

    Attributes:
        name: ATen name without namespace, overload and the mark of in-place operations.
        inputs: operations that made its tensor arguments; None for constants and weights.
        arguments: its positional arguments, keyword arguments at the end.
        shape: shape of its (first) result.
    """

    name: str
    inputs: tuple[Operation | None, ...]
    arguments: tuple[Any, ...]
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recording:
    """A recorded run.

    Attributes:
        pictures: the pictures fed, as operations.
        operations: all operations, in order.
        output: operation that made the output.
    """

    pictures: tuple[Operation, ...]
    operations: tuple[Operation, ...]
    output: Operation | None


class _Recorder(TorchDispatchMode):
    def __init__(self, pictures: Sequence[Tensor]) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        # Weak: a run of large pictures would not fit into memory with all that it makes.
        self.made: MutableMapping[Tensor, Operation] = WeakIdKeyDictionary()
        for picture in pictures:
            self.made[picture] = Operation("picture", (), (), tuple(picture.shape))

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Return the result of an operation, which is noted."""
        result = func(*args, **(kwargs or {}))
        arguments = (*args, *(kwargs or {}).values())
        tensors = [
            item
            for argument in arguments
            for item in (argument if isinstance(argument, (list, tuple)) else (argument,))
            if isinstance(item, Tensor)
        ]
        results = result if isinstance(result, (list, tuple)) else (result,)
        made = [item for item in results if isinstance(item, Tensor)]
        name = func._schema.name.partition("::")[2].removesuffix("_")
        inputs = tuple(self.made.get(item) for item in tensors)
        constants = tuple(map(_without_maps, arguments))
        for item in made:
            operation = Operation(name, inputs, constants, tuple(item.shape))
            self.operations.append(operation)
            self.made[item] = operation
        return result


def _without_maps(argument: object) -> object:
    """Return an argument; an empty tensor in place of one that is no constant of a channel."""
    if isinstance(argument, (list, tuple)):
        return tuple(map(_without_maps, argument))
    is_map = isinstance(argument, Tensor) and argument.numel() > MAX_CONSTANTS
    return NO_CONSTANTS if is_map else argument


def record(run: Callable[[], Tensor], pictures: Sequence[Tensor]) -> tuple[Tensor, Recording]:
    """Return the output of a run and its record.

    Args:
        run: runs the network on the pictures.
        pictures: tensors that it is fed.
    """
    recorder = _Recorder(pictures)
    fed = tuple(recorder.made[picture] for picture in pictures)
    with torch.no_grad(), recorder:
        output = run()
    last = recorder.made.get(output) if torch.is_tensor(output) else None
    return output, Recording(fed, tuple(recorder.operations), last)


@dataclass(frozen=True)
class End:
    """What a network's last operations say of its values.

    Attributes:
        bound: lowest and highest value that they leave; infinite where open.
        reason: the operations in words: ``ends in Tanh``.
    """

    bound: Bound
    reason: str


def end_of(recording: Recording) -> End | None:
    """Return what the last operations of a run bound its values to, None where they do not."""
    if recording.output is None:
        return None
    noted: list[End] = []
    bound = _bound(recording.output, noted, 0)
    if bound is None or not noted:
        return None
    scaled = f" scaled to {bound[0]:g}..{bound[1]:g}" if noted[0].bound != bound else ""
    return End(bound, f"ends in {noted[0].reason}{scaled}")


def _bound(operation: Operation, noted: list[End], depth: int) -> Bound | None:
    """Return the bound of an operation's values; the operations that bound them are noted."""
    name, inputs, arguments = operation.name, operation.inputs, operation.arguments
    first = inputs[0] if inputs else None
    if depth > MAX_DEPTH:
        return None
    if name in BOUNDED:
        noted.append(End(BOUNDED[name], NAMES.get(name, name.capitalize())))
        return BOUNDED[name]
    if name in ("clamp", "hardtanh", "clip", "clamp_min", "clamp_max"):
        inner = _bound(first, [], depth + 1) if first is not None else None
        return _clipped(_clip_limits(name, arguments), inner, noted)
    if name in ("floor", "round", "trunc", *MOVES) and first is not None:
        return _bound(first, noted, depth + 1)
    if name == "cat":
        bounds = [_bound(item, noted, depth + 1) if item is not None else None for item in inputs]
        known = [item for item in bounds if item is not None]
        if not known or len(known) < len(bounds):
            return None
        return min(low for low, _ in known), max(high for _, high in known)
    affine = _affine(operation)
    source = next((item for item in inputs if item is not None), None)
    if affine is None or source is None:
        return None
    inner = _bound(source, noted, depth + 1)
    return None if inner is None else _mapped(inner, *affine)


def _clipped(limits: Bound, inner: Bound | None, noted: list[End]) -> Bound | None:
    """Return the bound of clipped values, and note it; None where they have no lower limit."""
    low, high = limits
    low = max(low, inner[0]) if inner else low
    high = min(high, inner[1]) if inner else high
    if low == -math.inf:
        return None
    where = f"to {low:g}..{high:g}" if high < math.inf else f"at {low:g}"
    noted.append(End((low, high), f"a Clip {where}"))
    return low, high


def _mapped(inner: Bound, gain: Sequence[float], offset: Sequence[float]) -> Bound | None:
    """Return the bound of gain·x + offset over all channels, for x inside a bound."""
    corners = [
        g * limit + o if math.isfinite(limit) else math.copysign(math.inf, g * limit)
        for g, o in zip(gain, offset, strict=True)
        if g != 0
        for limit in inner
    ]
    return (min(corners), max(corners)) if corners else None


def _clip_limits(name: str, arguments: Sequence[Any]) -> Bound:
    numbers = [item if isinstance(item, (int, float)) else None for item in arguments[1:3]]
    numbers += [None] * (2 - len(numbers))
    if name == "hardtanh":
        numbers = [
            -1.0 if numbers[0] is None else numbers[0],
            1.0 if numbers[1] is None else numbers[1],
        ]
    if name == "clamp_max":
        numbers = [None, numbers[0]]
    low, high = numbers
    return (-math.inf if low is None else float(low)), (math.inf if high is None else float(high))


Affine = tuple[tuple[float, ...], tuple[float, ...]]


def _affine(operation: Operation) -> Affine | None:
    """Return gain and offset, for each channel or for all, of an operation that is no more."""
    name, arguments = operation.name, operation.arguments
    if name == "neg":
        return (-1.0,), (0.0,)
    if name not in ("add", "sub", "rsub", "mul", "div") or len(arguments) < 2:
        return None
    known = [item is not None for item in operation.inputs]
    if known.count(True) != 1:
        return None
    tensors = [isinstance(item, Tensor) for item in arguments[:2]]
    constant_first = tensors == [True, True] and not known[0]
    constant = _constant(arguments[0 if constant_first else 1])
    if constant is None or (len(arguments) > 2 and not tensors[1] and arguments[2] != 1):
        return None
    ones = tuple(1.0 for _ in constant)
    zeros = tuple(0.0 for _ in constant)
    negative = tuple(-c for c in constant)
    if name == "add":
        return ones, constant
    if name == "mul":
        return constant, zeros
    if name == "div":
        whole = not constant_first and all(constant)
        return (tuple(1 / c for c in constant), zeros) if whole else None
    if (name == "rsub") != constant_first:
        return tuple(-1.0 for _ in constant), constant
    return ones, negative


def _constant(value: object) -> tuple[float, ...] | None:
    """Return the values of a constant: one for all channels, or one a channel."""
    if isinstance(value, (int, float)):
        return (float(value),)
    if isinstance(value, Tensor) and value.numel() in (1, 3):
        return tuple(map(float, value.flatten().tolist()))
    return None


def start_of(recording: Recording, picture: Operation) -> Affine | None:
    """Return what a picture is multiplied by and what is added before the first layer.

    None where it is fed as it is, or to several operations that differ.
    """
    users: dict[int, list[Operation]] = {}
    for operation in recording.operations:
        for item in operation.inputs:
            if item is not None:
                users.setdefault(id(item), []).append(operation)
    gain, offset, current = (1.0,), (0.0,), picture
    while len(following := users.get(id(current), [])) == 1:
        (current,) = following
        if current.name in MOVES:
            continue
        affine = _affine(current)
        if affine is None:
            break
        gain, offset = _then((gain, offset), affine)
    return None if set(gain) == {1.0} and set(offset) == {0.0} else (gain, offset)


def _then(before: Affine, after: Affine) -> Affine:
    count = max(len(before[0]), len(after[0]))
    spread = [
        [part * (count if len(part) == 1 else 1) for part in pair] for pair in (before, after)
    ]
    (gain, offset), (factor, shift) = spread
    return (
        tuple(g * f for g, f in zip(gain, factor, strict=True)),
        tuple(o * f + s for o, f, s in zip(offset, factor, shift, strict=True)),
    )
