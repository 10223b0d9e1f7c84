"""Transposed convolutions as TFLite has them: dense, and cut to one of two sizes.

TRANSPOSE_CONV has no groups, and makes either all (H - 1)·s + k rows that the kernel reaches
(VALID) or H·s of them, cut as evenly as can be, the odd one at the end (SAME). PyTorch cuts p rows
in front and p - o behind, for an output padding o, so that a kernel of 3 with stride 2, p = o = 1
is neither.

    groups g > 1                 → one group, its weights zero between the groups
    any other cut                → VALID, and a slice; rows that are added behind are the bias alone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import (
    Outcome,
    Pass,
    add_weight,
    apply_passes,
    argument,
    tensor_of,
)

aten = torch.ops.aten


def with_plain_transposed_convs(graph: Graph) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the graph with transposed convolutions that TFLite has, and what was rewritten."""
    if not any(n.target is aten.conv_transpose2d.input for n in graph.program.graph.nodes):
        return graph, ()
    return apply_passes(graph, (Pass("plain-transposed-convs", 0, rewrite),))


def rewrite(module: GraphModule) -> Outcome:
    """Write every transposed convolution without groups, and with a cut that TFLite has."""
    applied, refused = 0, list[str]()
    for node in list(module.graph.nodes):
        if node.target is not aten.conv_transpose2d.input:
            continue
        weight = tensor_of(module, node.args[1])
        if weight is None:
            refused.append(f"{node.name} has weights that the network computes")
            continue
        with module.graph.inserting_before(node):
            new = _plain(module, node, weight)
        if new is not None:
            new.meta["val"] = node.meta["val"]
            node.replace_all_uses_with(new)
            module.graph.erase_node(node)
            applied += 1
    module.graph.eliminate_dead_code()
    return Outcome(applied, tuple(refused))


def _plain(module: GraphModule, node: Node, weight: Tensor) -> Node | None:
    """Return a transposed convolution in TFLite's terms, None where it is so already."""
    bias = argument(node, 2, "bias")
    at = transposed_settings(node)
    assert isinstance(node.args[0], Node)
    source = node.args[0].meta["val"]
    cuts = [
        _Cut(
            source.shape[2 + axis],
            weight.shape[2 + axis],
            at.stride[axis],
            at.pad[axis],
            at.extra[axis],
            at.dilation[axis],
        )
        for axis in (0, 1)
    ]
    known = all(cut.valid for cut in cuts) or all(cut.same for cut in cuts)
    if at.groups == 1 and known:
        return None
    dense = node.args[1] if at.groups == 1 else add_weight(module, node, _dense(weight, at.groups))
    # Rows that are added behind are the bias alone: it is added to them too, after the cut.
    late = not known and isinstance(bias, Node) and any(cut.behind for cut in cuts)
    sides = (at.stride, at.pad, at.extra) if known else (at.stride, (0, 0), (0, 0))
    rest = [list(values) for values in sides]
    arguments = (node.args[0], dense, None if late else bias, *rest, 1, list(at.dilation))
    new = module.graph.call_function(node.target, arguments)  # pyright: ignore
    return new if known else _cut(module, new, cuts, tensor_of(module, bias) if late else None)


def _cut(module: GraphModule, new: Node, cuts: Sequence[_Cut], bias: Tensor | None) -> Node:
    """Return the lines that are kept of all that a kernel reaches, with a bias that is left."""
    call, convolution = module.graph.call_function, new
    for axis, cut in enumerate(cuts):
        if cut.first or cut.first + cut.length < cut.full:
            end = min(cut.first + cut.length, cut.full)
            new = call(aten.slice.Tensor, (new, 2 + axis, cut.first, end))
    if any(cut.behind for cut in cuts):
        rows, columns = (cut.behind for cut in cuts)
        new = call(aten.constant_pad_nd.default, (new, [0, columns, 0, rows], 0.0))
    if bias is not None:
        weight = add_weight(module, convolution, bias.reshape(1, -1, 1, 1))
        new = call(aten.add.Tensor, (new, weight))
    return new


@dataclass(frozen=True)
class TransposedSettings:
    """Settings of a transposed convolution, of rows and columns each."""

    stride: tuple[int, int]
    pad: tuple[int, int]
    extra: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def transposed_settings(node: Node) -> TransposedSettings:
    """Return the settings of a transposed convolution."""
    stride, padding, extra, dilation = (
        pair(argument(node, place, name), default)
        for place, name, default in (
            (3, "stride", 1),
            (4, "padding", 0),
            (5, "output_padding", 0),
            (7, "dilation", 1),
        )
    )
    groups = argument(node, 6, "groups", 1)
    assert isinstance(groups, int)
    return TransposedSettings(stride, padding, extra, dilation, groups)


class _Cut:
    """Rows or columns that a transposed convolution keeps of those that its kernel reaches.

    Attributes:
        full: lines that the kernel reaches.
        first: first of them that is kept.
        length: lines of the output.
        valid: whether all are kept.
        behind: lines that are added behind those that the kernel reaches.
        same: whether the lines kept are those of TFLite's SAME.
    """

    def __init__(
        self, lines: int, kernel: int, stride: int, pad: int, extra: int, spread: int
    ) -> None:
        self.full = (lines - 1) * stride + spread * (kernel - 1) + 1
        self.first = pad
        self.length = self.full - 2 * pad + extra
        self.behind = max(0, self.first + self.length - self.full)
        self.valid = pad == 0 and extra == 0
        rest = self.full - lines * stride
        self.same = rest >= 0 and self.length == lines * stride and pad == rest // 2


def _dense(weight: Tensor, groups: int) -> Tensor:
    """Return weights [in, out/groups, kh, kw] as [in, out, kh, kw], zero between the groups."""
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    dense = weight.new_zeros(weight.shape[0], outputs * groups, *weight.shape[2:])
    for group in range(groups):
        rows = slice(group * inputs, (group + 1) * inputs)
        dense[rows, group * outputs : (group + 1) * outputs] = weight[rows]
    return dense


def pair(value: object, default: int) -> tuple[int, int]:
    """Return a setting of rows and columns, given for both or for each."""
    if not isinstance(value, list | tuple) or not value:
        return (default, default)
    return (int(value[0]), int(value[-1]))
