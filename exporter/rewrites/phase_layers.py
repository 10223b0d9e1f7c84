"""Layers whose output is denser than their input, as they stand in a graph, and their work.

A transposed convolution, or a convolution behind nearest upsampling. What a padding of the
upsampled map adds is what one of the input adds where it is zeros or copies of the edge, and where
a reflection is narrower than s: its lines then all lie in copies of the input's first line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import argument, tensor_of
from styleexport.exporter.rewrites.phases import Phases, of_transposed, of_upsampled
from styleexport.exporter.rewrites.transposed_convs import pair, transposed_settings

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


def transposed_layer(module: GraphModule, node: Node) -> Layer | str:
    """Return a transposed convolution, or why it stays."""
    weight, bias = tensor_of(module, node.args[1]), argument(node, 2, "bias")
    at = transposed_settings(node)
    assert isinstance(node.args[0], Node)
    if weight is None or (bias is not None and tensor_of(module, bias) is None):
        return "has weights that the network computes"
    if at.stride[0] != at.stride[1]:
        return f"has strides {at.stride[0]} and {at.stride[1]}"
    kernel = weight.shape[2:]
    rows, columns = (
        of_transposed(kernel[i], at.stride[0], at.pad[i], at.dilation[i]) for i in (0, 1)
    )
    sides = _sides(node.args[0])
    height, width = (
        (sides[i] - 1) * at.stride[i]
        + at.dilation[i] * (kernel[i] - 1)
        + 1
        - 2 * at.pad[i]
        + at.extra[i]
        for i in (0, 1)
    )
    # [in, out/groups, kh, kw] → [out, in/groups, kh, kw], group by group.
    plain = weight.unflatten(0, (at.groups, -1)).transpose(1, 2).flatten(0, 1)
    return Layer(
        node,
        node.args[0],
        plain,
        tensor_of(module, bias),
        at.groups,
        (rows, columns),
        sides,
        (height, width),
        "constant",
    )


def upsampled_layer(module: GraphModule, node: Node) -> Layer | str | None:
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
        pair(argument(node, place, name), default)
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
