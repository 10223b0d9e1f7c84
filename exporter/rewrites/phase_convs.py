"""Transposed convolutions, and convolutions behind nearest upsampling, as phase convolutions.

    conv_transpose(x)                  →  cut(depth_to_space(conv(pad₀(x))))
    conv(pad(upsample(x)))             →  cut(depth_to_space(conv(pad'(x))))

The algebra is in `phases`, the layers in `phase_layers`. A ReLU or clamp behind the convolution is
put in front of depth to space, so that an int8 file's quantization still does it; slices behind it
are left to the cut.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import RECTIFIERS, operation_of
from styleexport.exporter.graph.rewrite import Outcome, add_weight, argument
from styleexport.exporter.rewrites.phase_layers import (
    ANY_SIDES,
    Choose,
    Layer,
    transposed_layer,
    upsampled_layer,
)
from styleexport.exporter.rewrites.phases import phase_weight

aten = torch.ops.aten


def rewrite_transposed(module: GraphModule, choose: Choose) -> Outcome:
    """Write transposed convolutions as phase convolutions, where that is chosen."""
    return _rewrite(module, "conv_transpose2d", transposed_layer, choose)


def rewrite_upsampled(module: GraphModule, choose: Choose) -> Outcome:
    """Write convolutions behind nearest upsampling as phase convolutions, where that is chosen."""
    return _rewrite(module, "conv2d", upsampled_layer, choose)


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
        if len(readers) == 1 and operation_of(readers[0]) in RECTIFIERS and _is_plain(readers[0]):
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
