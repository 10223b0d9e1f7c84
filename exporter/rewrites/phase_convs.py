"""Transposed convolutions, and convolutions behind nearest upsampling, as phase convolutions.

    conv_transpose(x)                  →  cut(depth_to_space(conv(pad₀(x))))
    conv(pad(upsample(x)))             →  cut(depth_to_space(conv(pad'(x))))

The algebra is in `phases`. What a padding of the upsampled map adds is what one of the input adds
where it is zeros or copies of the edge, and where a reflection is narrower than s: its lines then
all lie in copies of the input's first line. A ReLU or clamp behind the convolution is put in front
of depth to space, so that an int8 file's quantization still does it; slices behind it are left to
the cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import Outcome, add_weight, argument, tensor_of
from styleexport.exporter.rewrites.phases import Phases, of_transposed, of_upsampled, phase_weight

aten = torch.ops.aten
POINTWISE = ("relu", "relu6", "leaky_relu", "hardtanh", "clamp")
# Padding of an upsampled map → the padding of the input that adds the same values.
PADS = {"constant": "constant", "replicate": "replicate", "reflect": "replicate"}
# Lines and columns of an input of open size; what is added and cut off does not depend on it.
ANY_SIDES = (1000, 1000)


@dataclass(frozen=True)
class Work:
    """Work of a layer.

    Attributes:
        macs: multiply-accumulates.
        values: values of maps that are written.
        shuffled: values that depth to space writes.
    """

    macs: int
    values: int
    shuffled: int = 0


@dataclass(frozen=True)
class Choice:
    """Whether a layer is rewritten, and why."""

    taken: bool
    reason: str


@dataclass(frozen=True)
class Layer:
    """A convolution whose output is denser than its input.

    Attributes:
        node: convolution.
        source: input of the upsampling, or of the transposed convolution.
        weight: [out, in/groups, kh, kw].
        bias: [out], or None.
        groups: groups.
        phases: of rows and columns.
        sides: height and width of ``source``.
        output: height and width of the convolution's output.
        pad: mode of the padding of ``source``.
        copies: values that are written between ``source`` and the convolution.
    """

    node: Node
    source: Node
    weight: Tensor
    bias: Tensor | None
    groups: int
    phases: tuple[Phases, Phases]
    sides: tuple[int, int]
    output: tuple[int, int]
    pad: str
    copies: int = 0

    @property
    def name(self) -> str:
        """Name of the convolution."""
        return self.node.name

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed convolution."""
        return operation_of(self.node) == "conv_transpose2d"

    @cached_property
    def before(self) -> Work:
        """Work of the layer as it stands."""
        values = self.weight.shape[0] * math.prod(self.output)
        macs = self.weight[0].numel() * values
        scale = self.phases[0].scale
        # A transposed convolution multiplies an s²-th of the taps for each value of the output.
        return Work(macs // scale**2 if self.transposed else macs, self.copies + values)

    @cached_property
    def after(self) -> Work:
        """Work of the phase convolution."""
        lines = [phases.lines(side) for phases, side in zip(self.phases, self.output, strict=True)]
        rows, columns = self.phases
        values = self.weight.shape[0] * rows.scale**2 * math.prod(lines)
        macs = self.weight.shape[1] * rows.length * columns.length * values
        copied = self.weight.shape[1] * self.groups * math.prod(lines)
        return Work(macs, copied + values, values)


Choose = Callable[[Layer], Choice]


def rewrite_transposed(module: GraphModule, choose: Choose) -> Outcome:
    """Write transposed convolutions as phase convolutions, where that is chosen."""
    return _rewrite(module, "conv_transpose2d", _transposed, choose)


def rewrite_upsampled(module: GraphModule, choose: Choose) -> Outcome:
    """Write convolutions behind nearest upsampling as phase convolutions, where that is chosen."""
    return _rewrite(module, "conv2d", _upsampled, choose)


def _rewrite(
    module: GraphModule,
    operation: str,
    read: Callable[[GraphModule, Node], Layer | str | None],
    choose: Choose,
) -> Outcome:
    applied, refused = list[str](), list[str]()
    for node in list(module.graph.nodes):
        if operation_of(node) != operation:
            continue
        layer = read(module, node)
        if isinstance(layer, str):
            refused.append(f"{node.name} {layer}")
        elif layer is not None:
            choice = choose(layer)
            (applied if choice.taken else refused).append(choice.reason)
            if choice.taken:
                _write(module, layer)
    module.graph.eliminate_dead_code()
    return Outcome(len(applied), tuple(refused), tuple(applied))


def _transposed(module: GraphModule, node: Node) -> Layer | str:
    """Return a transposed convolution, or why it stays."""
    weight, bias = tensor_of(module, node.args[1]), argument(node, 2, "bias")
    stride, pad, extra, dilation = (
        _pair(argument(node, place, name), default)
        for place, name, default in (
            (3, "stride", 1),
            (4, "padding", 0),
            (5, "output_padding", 0),
            (7, "dilation", 1),
        )
    )
    groups = argument(node, 6, "groups", 1)
    assert isinstance(groups, int) and isinstance(node.args[0], Node)
    if weight is None or (bias is not None and tensor_of(module, bias) is None):
        return "has weights that the network computes"
    if stride[0] != stride[1]:
        return f"has strides {stride[0]} and {stride[1]}"
    kernel = weight.shape[2:]
    rows, columns = (of_transposed(kernel[i], stride[0], pad[i], dilation[i]) for i in (0, 1))
    sides = _sides(node.args[0])
    height, width = (
        (sides[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - 2 * pad[i] + extra[i]
        for i in (0, 1)
    )
    # [in, out/groups, kh, kw] → [out, in/groups, kh, kw], group by group.
    plain = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return Layer(
        node,
        node.args[0],
        plain,
        tensor_of(module, bias),
        groups,
        (rows, columns),
        sides,
        (height, width),
        "constant",
    )


def _upsampled(module: GraphModule, node: Node) -> Layer | str | None:
    """Return a convolution behind nearest upsampling; why it stays; None where there is none."""
    data, pads, mode = node.args[0], (0, 0, 0, 0), "constant"
    assert isinstance(data, Node)
    if operation_of(data) == "pad":
        widths = argument(data, 1, "pad")
        mode = str(argument(data, 2, "mode", "constant"))
        filled = argument(data, 3, "value") not in (None, 0, 0.0)
        known = isinstance(widths, list | tuple) and all(isinstance(w, int) for w in widths)
        if filled or not known or len(widths) != 4 or mode not in PADS:  # pyright: ignore
            return None
        pads, data = tuple(widths), data.args[0]  # pyright: ignore
    if operation_of(data) != "upsample_nearest2d":
        return None
    assert isinstance(data, Node) and isinstance(data.args[0], Node)
    weight, bias = tensor_of(module, node.args[1]), argument(node, 2, "bias")
    scale = _scale(data)
    stride, own, dilation = (
        _pair(argument(node, place, name), default)
        for place, name, default in ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
    )
    groups = argument(node, 6, "groups", 1)
    assert isinstance(groups, int)
    if weight is None or (bias is not None and tensor_of(module, bias) is None):
        return "has weights that the network computes"
    if scale is None or stride != (1, 1):
        return None
    left, right, top, bottom = pads
    if mode == "reflect" and max(pads) >= scale:
        return f"reads a reflection of {max(pads)} lines, wider than {scale - 1}"
    if mode != "constant" and own != (0, 0):
        return f"adds zeros around a padding by {mode}"
    before, behind = (top + own[0], left + own[1]), (bottom + own[0], right + own[1])
    kernel, sides = weight.shape[2:], _sides(data.args[0])
    rows, columns = (of_upsampled(kernel[i], scale, before[i], dilation[i]) for i in (0, 1))
    if rows.length * columns.length >= kernel[0] * kernel[1]:
        return "would not multiply less"
    height, width = (
        scale * sides[i] + before[i] + behind[i] - dilation[i] * (kernel[i] - 1) for i in (0, 1)
    )
    upsampled = weight.shape[1] * groups * scale * scale * math.prod(sides)
    return Layer(
        node,
        data.args[0],
        weight,
        tensor_of(module, bias),
        groups,
        (rows, columns),
        sides,
        (height, width),
        PADS[mode],
        upsampled * (2 if any(pads) else 1),
    )


def _write(module: GraphModule, layer: Layer) -> None:
    """Put a phase convolution in the place of a layer, and of the cuts behind it."""
    node, (rows, columns) = layer.node, layer.phases
    result, cuts = _cuts(node, layer.output) if layer.sides != ANY_SIDES else (node, None)
    (top, height), (left, width) = cuts or ((0, layer.output[0]), (0, layer.output[1]))
    scale = rows.scale
    # What is cut off in front of a phase's place is cut off with the phases' own cut.
    above, below = rows.pads(layer.sides[0], top + height)
    before, behind = columns.pads(layer.sides[1], left + width)
    with module.graph.inserting_before(node):
        new = _padded(module, layer.source, (before, behind, above, below), layer.pad)
        weight = add_weight(module, node, phase_weight(layer.weight, rows, columns))
        bias = layer.bias
        if bias is not None:
            bias = add_weight(module, node, bias.double().repeat_interleave(scale * scale))
        arguments = (new, weight, bias, [1, 1], [0, 0], [1, 1], layer.groups)
        new = module.graph.call_function(aten.conv2d.default, arguments)  # pyright: ignore
        readers = list(result.users)
        if len(readers) == 1 and operation_of(readers[0]) in POINTWISE and _is_plain(readers[0]):
            result = readers[0]
            new = module.graph.call_function(result.target, (new, *result.args[1:]), result.kwargs)  # pyright: ignore
        if scale > 1:
            new = module.graph.call_function(aten.pixel_shuffle.default, (new, scale))
        for axis, phases, start, length in ((2, rows, top, height), (3, columns, left, width)):
            first = phases.cut + start
            rest = scale * phases.lines(start + length) - first - length
            if first or rest:
                end = -rest if rest else 2**63 - 1
                new = module.graph.call_function(aten.slice.Tensor, (new, axis, first, end))
    new.meta["val"] = result.meta["val"]
    result.replace_all_uses_with(new)


def _padded(module: GraphModule, x: Node, widths: tuple[int, int, int, int], mode: str) -> Node:
    """Return x padded; lines that nothing reads are cut off instead."""
    for axis, before, behind in ((3, *widths[:2]), (2, *widths[2:])):
        if min(before, behind) < 0:
            end = behind if behind < 0 else 2**63 - 1
            x = module.graph.call_function(aten.slice.Tensor, (x, axis, max(0, -before), end))
    positive = [max(0, width) for width in widths]
    if not any(positive):
        return x
    return module.graph.call_function(aten.pad.default, (x, positive, mode))


def _cuts(node: Node, output: tuple[int, int]) -> tuple[Node, list[tuple[int, int]]]:
    """Return the last of the slices that alone read a node; first line and lines of each axis."""
    cuts = [(0, output[0]), (0, output[1])]
    while len(node.users) == 1:
        (reader,) = node.users
        if reader.target is not aten.slice.Tensor or argument(reader, 1, "dim", 0) not in (2, 3):
            break
        axis, step = argument(reader, 1, "dim", 0), argument(reader, 4, "step", 1)
        start, end = argument(reader, 2, "start"), argument(reader, 3, "end")
        if step != 1 or not isinstance(end, int | None) or not isinstance(start, int | None):
            break
        first, length = cuts[axis - 2]  # pyright: ignore
        low, high, _ = slice(start, end).indices(length)
        cuts[axis - 2] = (first + low, high - low)  # pyright: ignore
        node = reader
    return node, cuts


def _is_plain(node: Node) -> bool:
    """Whether an activation treats all channels alike."""
    return not any(isinstance(value, Node) for value in (*node.args[1:], *node.kwargs.values()))


def _scale(node: Node) -> int | None:
    """Return by what whole number an upsampling repeats lines and columns, None for any other."""
    factors = argument(node, 2, "scale_factors")
    if isinstance(factors, list | tuple) and factors:
        found = {float(factor) for factor in factors}  # pyright: ignore
    else:
        before, after = node.args[0].meta["val"].shape[2:], node.meta["val"].shape[2:]  # pyright: ignore
        if not all(isinstance(side, int) for side in (*before, *after)):
            return None
        found = {b / a for a, b in zip(before, after, strict=True)}
    scale = found.pop()
    return int(scale) if not found and scale == int(scale) else None


def _sides(node: Node) -> tuple[int, int]:
    sides = tuple(node.meta["val"].shape[2:])
    return sides if all(isinstance(side, int) for side in sides) else ANY_SIDES  # pyright: ignore


def _pair(value: object, default: int) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or not value:
        return (default, default)
    return (int(value[0]), int(value[-1]))
