"""Operations on feature maps: which elements of a window's map depend on the window's ends.

A network is run on a window of a large picture. Element i of a map of the window is element
i + p/s of the map of the whole picture, with p the window's first pixel and s the map's stride,
as long as p is a multiple of every stride. It has the same value as there, except near the ends of
the window: convolutions pad there, although the picture goes on. `Field` counts the elements at
either end that depend on that. Per axis, with kernel k, stride t, dilation d and padding p,

    pad by p                  first + p, last + p
    convolution, pooling      first ⌈first/t⌉; last by the last input that the last outputs read
    transposed convolution    output o reads inputs from ⌈(o + p - d(k-1))/t⌉ to ⌊(o + p)/t⌋
    nearest upsampling by f   f·first, f·last
    bilinear upsampling by f  f·first + ⌈(f-1)/2⌉, likewise last
    cut of a from the start   first - a

Operations between elements of one place take the most of what they read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from torch.fx import Node

from styleexport.core.errors import UnsupportedOp
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import argument
from styleexport.exporter.tiling.field import (
    Ends,
    Field,
    UnknownOperation,
    refusal,
    shape_of,
    sides_of,
)

# Operations on each element alone, on elements of one place, or on no element at all.
POINTWISE = frozenset(
    (
        *("relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "sigmoid", "tanh"),
        *("silu", "gelu", "elu", "leaky_relu", "prelu", "softplus", "hardswish", "hardsigmoid"),
        *("add", "sub", "mul", "div", "rsub", "neg", "abs", "sqrt", "rsqrt", "reciprocal", "exp"),
        *("log", "pow", "square", "maximum", "minimum", "where", "batch_norm", "dropout", "mish"),
        *("_native_batch_norm_legit_no_training", "floor", "round", "erf", "sign"),
        *("alias", "clone", "contiguous", "detach", "_to_copy", "to", "lift_fresh_copy"),
    )
)
# Operations on the axis of channels, which leave height and width alone.
CHANNELS = frozenset(("cat", "split", "split_with_sizes", "chunk", "unbind", "select"))
OVER_CHANNELS = frozenset(
    ("mean", "sum", "amax", "amin", "softmax", "var", "argmax", "expand", "unsqueeze")
)
FLATTENED = frozenset(("flatten", "view", "reshape", "_unsafe_view"))


def field_of(node: Node, read: Mapping[Node, Field]) -> Field:
    """Return the field of a node that reads maps.

    Args:
        node: an operation that keeps places.
        read: each map that it reads → its field.

    Raises:
        UnknownOperation: it reads a map in a way that is not known here.
        UnsupportedOp: it depends on the size of the picture.
    """
    operation, first = operation_of(node), next(iter(read.values()))
    if operation == "<built-in function getitem>":
        operation = "getitem"
    if rule := RULES.get(operation):
        return rule(node, first)
    if operation in POINTWISE:
        _check_over_one_another(node, read)
        return _joined(node, read)
    if operation == "getitem":
        return first
    if operation in CHANNELS:
        place = {"cat": 1, "unbind": 1, "select": 1}.get(operation, 2)
        dim, rank = argument(node, place, "dim", 0), len(shape_of(next(iter(read))))
        assert isinstance(dim, int)
        if first.flat == 0 and dim % rank < rank - 2:
            return _joined(node, read)
    if operation in OVER_CHANNELS and first.flat == 0 and _keeps_places(node):
        return first
    if operation in FLATTENED:
        return _reshaped(node, first)
    if operation in ("transpose", "permute", "mT", "t") and first.flat:
        return replace(first, flat=3 - first.flat)
    if operation in ("matmul", "bmm", "mm"):
        return _product(node, read)
    raise UnknownOperation(refusal(node))


def _keeps_places(node: Node) -> bool:
    """Whether a node of `OVER_CHANNELS` leaves height and width as they are."""
    before, after = shape_of(node.args[0]), shape_of(node)
    if operation_of(node) in ("expand", "unsqueeze"):
        return after[-2:] == before[-2:]
    axes = argument(node, 1, "dim", ())
    axes = axes if isinstance(axes, list | tuple) else [axes]
    rank = len(before)
    return bool(axes) and all(axis is not None and axis % rank < rank - 2 for axis in axes)  # pyright: ignore


def _joined(node: Node, read: Mapping[Node, Field]) -> Field:
    first, *others = read.values()
    for other in others:
        first = first.joined(other, node.name)
    return first


def _check_over_one_another(node: Node, read: Mapping[Node, Field]) -> None:
    """Refuse tensors of the map's size that do not move with the window, such as grids."""
    flat = next(iter(read.values())).flat
    places = (-2, -1) if not flat else (-flat,)
    for item in node.all_input_nodes:
        own = [shape_of(item)[axis] for axis in places if len(shape_of(item)) >= -axis]
        if item not in read and any(length > 1 for length in own):
            raise UnsupportedOp(
                f"{node.name} takes a value of its own for each place of the picture, "
                f"{item.name}: there are none for other sizes; leave out --full"
            )
        if item in read and own != [shape_of(node)[axis] for axis in places]:
            raise UnknownOperation(refusal(node))


def _pair(value: object, default: int) -> Ends:
    if value is None or value == []:
        return (default, default)
    if isinstance(value, int):
        return (value, value)
    assert isinstance(value, list | tuple)
    return (int(value[0]), int(value[-1]))


def _strided(
    node: Node, field: Field, kernel: Ends, step: Ends, padding: Ends, spread: Ends
) -> Field:
    sides = sides_of(node.all_input_nodes[0])
    outputs = sides_of(node)

    def change(ends: Ends, axis: int) -> Ends:
        first, last = ends[0] + padding[axis], ends[1] + padding[axis]
        span = spread[axis] * (kernel[axis] - 1)
        # The last row that an output may begin to read at.
        usable = sides[axis] + 2 * padding[axis] - 1 - last - span
        return (-(-first // step[axis]), max(0, outputs[axis] - 1 - usable // step[axis]))

    return replace(field.each(change), stride=field.stride * _one(node, step))


def _one(node: Node, values: Ends) -> int:
    if values[0] != values[1]:
        raise UnsupportedOp(f"{node.name} has different strides by height and width")
    return values[0]


def _convolution(node: Node, field: Field) -> Field:
    weight = shape_of(node.args[1])
    step = _pair(argument(node, 3, "stride"), 1)
    padding = _pair(argument(node, 4, "padding"), 0)
    spread = _pair(argument(node, 5, "dilation"), 1)
    return _strided(node, field, weight[-2:], step, padding, spread)  # pyright: ignore


def _pooling(node: Node, field: Field) -> Field:
    kernel = _pair(argument(node, 1, "kernel_size"), 1)
    step = argument(node, 2, "stride")
    spread = argument(node, 4, "dilation") if operation_of(node) == "max_pool2d" else None
    padding = _pair(argument(node, 3, "padding"), 0)
    steps = kernel if step in (None, []) else _pair(step, 1)
    return _strided(node, field, kernel, steps, padding, _pair(spread, 1))


def _transposed(node: Node, field: Field) -> Field:
    weight = shape_of(node.args[1])
    step = _pair(argument(node, 3, "stride"), 1)
    padding = _pair(argument(node, 4, "padding"), 0)
    spread = _pair(argument(node, 7, "dilation"), 1)
    sides, outputs = sides_of(node.all_input_nodes[0]), sides_of(node)

    def change(ends: Ends, axis: int) -> Ends:
        t, p, reach = step[axis], padding[axis], spread[axis] * (weight[-2 + axis] - 1)
        # Output o reads inputs ⌈(o + p - reach)/t⌉ to ⌊(o + p)/t⌋, also those outside the window.
        first = max(0, (ends[0] - 1) * t + 1 - p + reach)
        last_usable = (sides[axis] - ends[1]) * t - 1 - p
        return (first, max(0, outputs[axis] - 1 - last_usable))

    return replace(field.each(change), stride=field.stride / _one(node, step))


def _padded(node: Node, field: Field) -> Field:
    if field.flat:
        raise UnknownOperation(refusal(node))
    widths = argument(node, 1, "pad")
    assert isinstance(widths, list | tuple)
    by_axis = [tuple(map(int, widths[2 * n : 2 * n + 2])) for n in range(len(widths) // 2)]  # pyright: ignore
    if argument(node, 2, "mode", "constant") == "circular" or any(map(any, by_axis[2:])):
        raise UnknownOperation(refusal(node))
    by_axis = [*by_axis, (0, 0), (0, 0)][:2]

    def change(ends: Ends, axis: int) -> Ends:
        before, after = by_axis[1 - axis]
        return (max(0, ends[0] + before), max(0, ends[1] + after))

    return field.each(change)


def _factor(node: Node) -> int:
    inner, outer = sides_of(node.all_input_nodes[0]), sides_of(node)
    factors = {Fraction(b, a) for a, b in zip(inner, outer, strict=True)}
    factor = factors.pop()
    if factors or factor.denominator != 1:
        raise UnsupportedOp(f"{node.name} enlarges by {factor}, which is no whole number")
    return int(factor)


def _nearest(node: Node, field: Field) -> Field:
    factor = _factor(node)
    field = field.each(lambda ends, _: (factor * ends[0], factor * ends[1]))
    return replace(field, stride=field.stride / factor)


def _bilinear(node: Node, field: Field) -> Field:
    if argument(node, 2, "align_corners"):
        raise UnsupportedOp(
            f"{node.name} enlarges with aligned corners, by which every pixel depends on the size "
            "of the picture; leave out --full"
        )
    factor = _factor(node)
    more = math.ceil((factor - 1) / 2)
    field = field.each(lambda ends, _: (factor * ends[0] + more, factor * ends[1] + more))
    return replace(field, stride=field.stride / factor)


def _shuffled(node: Node, field: Field) -> Field:
    factor = argument(node, 1, "upscale_factor")
    assert isinstance(factor, int)
    field = field.each(lambda ends, _: (factor * ends[0], factor * ends[1]))
    return replace(field, stride=field.stride / factor)


def _sliced(node: Node, field: Field) -> Field:
    rank = len(shape_of(node.args[0]))
    dim = argument(node, 1, "dim", 0)
    assert isinstance(dim, int)
    axis = dim % rank - (rank - 2)
    if axis < 0 and not field.flat:
        return field
    if field.flat or argument(node, 4, "step", 1) != 1:
        raise UnknownOperation(refusal(node))
    length = shape_of(node.args[0])[dim]
    start, end = argument(node, 2, "start"), argument(node, 3, "end")
    first, last, _ = slice(start, end).indices(length)
    cut = (first, length - last)  # as much of every window, so that places still agree

    def change(ends: Ends, number: int) -> Ends:
        if number != axis:
            return ends
        return (max(0, ends[0] - cut[0]), max(0, ends[1] - cut[1]))

    return field.each(change)


def _reshaped(node: Node, field: Field) -> Field:
    before, after = shape_of(node.args[0]), shape_of(node)
    if not field.flat:
        if after[-2:] == before[-2:]:
            return field
        if after[-1] == before[-1] * before[-2]:
            return replace(field, flat=1)
    elif field.flat == 1:
        if after[-1] == before[-1]:
            return field
        if len(after) >= 2 and after[-1] * after[-2] == before[-1]:
            return replace(field, flat=0)
    raise UnknownOperation(refusal(node))


def _product(node: Node, read: Mapping[Node, Field]) -> Field:
    """A matrix of no place, by a map whose places are columns (or rows)."""
    a, b = node.args[:2]
    if len(read) == 1:
        if b in read and read[b].flat == 1:  # pyright: ignore
            return read[b]  # pyright: ignore
        if a in read and read[a].flat == 2:  # pyright: ignore
            return read[a]  # pyright: ignore
    raise UnknownOperation(refusal(node))


RULES: dict[str, Callable[[Node, Field], Field]] = {
    "conv2d": _convolution,
    "conv_transpose2d": _transposed,
    "max_pool2d": _pooling,
    "avg_pool2d": _pooling,
    "pad": _padded,
    "upsample_nearest2d": _nearest,
    "upsample_bilinear2d": _bilinear,
    "pixel_shuffle": _shuffled,
    "slice": _sliced,
}
