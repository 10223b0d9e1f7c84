"""int8 by a recipe: quantize and dequantize nodes with its ranges, in a graph of XNNPACK's forms.

XNNPACK computes a convolution in integers where what it reads, its weights and what it makes are
all quantized, and moves integers (slices, concatenations, pooling, views) where both sides are.
Values are int8 with the recipe's scale, weights int8 symmetric, one scale an output channel. A ReLU
or clamp behind an integer convolution is left out where the range of its output clips as it does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.recipe import Range
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import add_weight, argument, tensor_of
from styleexport.exporter.quantize.blocks import (
    TRANSPOSED,
    QuantizedBlock,
    limits_of,
    moves,
    nodes_by_name,
)
from styleexport.exporter.quantize.simulate import (
    WEIGHT_LEVELS,
    scale_and_zero_point,
    weight_scales,
)

LOWEST, HIGHEST = -128, 127
MARK = "styleexport_int8"
# XNNPACK multiplies integer sums by less than 256 on their way to the output's steps.
MOST_STEPS = 255


@dataclass(frozen=True)
class _Marked:
    """What a recipe says of one convolution: ranges read and made, and whether a clamp is fused."""

    source: Range
    output: Range
    fused: bool


def mark(
    module: GraphModule, blocks: Sequence[QuantizedBlock], ranges: Mapping[str, Range]
) -> None:
    """Note on each convolution what a recipe says of it: rewrites keep the note."""
    by_name = nodes_by_name(module)
    for block in blocks:
        marked = _Marked(ranges[block.source], ranges[block.output], block.output != block.layer)
        by_name[block.layer].meta[MARK] = marked


def quantize(module: GraphModule, *, per_channel: bool) -> None:
    """Quantize what marked convolutions read, make and multiply by.

    Args:
        module: float32, in the forms that XNNPACK takes.
        per_channel: whether weights have one scale an output channel.
    """
    import executorch.exir as _  # noqa: F401 - registers the operations

    marked = {node: node.meta[MARK] for node in module.graph.nodes if MARK in node.meta}
    outputs = {conv: _without_clamp(module, conv, said) for conv, said in marked.items()}
    sources = {conv: _origin(conv.args[0]) for conv in marked}
    movers = {node for node in module.graph.nodes if _moved(node) is not None}
    writer = _Writer(module, set(marked), movers)
    for conv, said in marked.items():
        limits = _representable(module, conv, said, per_channel)
        writer.quantize(outputs[conv], limits, every=True)
        _quantize_weight(module, conv, per_channel)
    for conv, said in marked.items():
        if sources[conv] not in writer.done:
            writer.quantize(sources[conv], said.source, every=False)
    module.graph.eliminate_dead_code()
    module.recompile()


def _origin(node: object) -> Node:
    """Return the node whose values another one holds, moved but not changed."""
    assert isinstance(node, Node)
    return _moved(node) or node


def _moved(node: Node) -> Node | None:
    """Return whose values a node moves; None where it makes some of its own."""
    if operation_of(node) == "cat":
        origins = {_origin(part) for part in node.args[0]}  # pyright: ignore
        return origins.pop() if len(origins) == 1 else None
    if operation_of(node) in ("view", "reshape", "permute") or moves(node):
        return _origin(node.args[0])
    return None


@dataclass
class _Writer:
    """Writer of quantize and dequantize nodes between values and their readers.

    Attributes:
        module: graph that is changed.
        convs: convolutions computed in integers.
        movers: nodes that only move values of one origin.
        done: nodes whose values are quantized.
    """

    module: GraphModule
    convs: set[Node]
    movers: set[Node]
    done: set[Node] = field(default_factory=set[Node])

    def quantize(self, node: Node, limits: Range, *, every: bool) -> None:
        """Let readers of a value read it quantized.

        Args:
            node: node that makes it.
            limits: its range.
            every: whether all readers are to, or those alone that lead to integer convolutions.
        """
        self.done.add(node)
        scale, zero = scale_and_zero_point(limits)
        steps = (scale, zero + LOWEST, LOWEST, HIGHEST, torch.int8)
        library, graph = torch.ops.quantized_decomposed, self.module.graph
        readers = list(node.users)
        with graph.inserting_after(node):
            stored = graph.call_function(library.quantize_per_tensor.default, (node, *steps))
        for reader in readers:
            leads = self._leads(reader)
            if not (every or leads):
                continue
            with graph.inserting_before(reader):
                value = graph.call_function(library.dequantize_per_tensor.default, (stored, *steps))
            reader.replace_input_with(node, value)
            if leads and reader in self.movers and reader not in self.done:
                self.quantize(reader, limits, every=True)

    def _leads(self, node: Node) -> bool:
        """Whether a node is an integer convolution, or only moves values on to such."""
        if node in self.convs:
            return True
        # Behind a mover stands what quantizes it, where that has been written.
        return node in self.movers and (
            node in self.done or (bool(node.users) and all(map(self._leads, node.users)))
        )


def _without_clamp(module: GraphModule, conv: Node, said: _Marked) -> Node:
    """Return the output of a convolution, without a clamp where its range clips as that does."""
    if not said.fused:
        return conv
    (clamp,) = conv.users
    limits = (0.0, math.inf) if operation_of(clamp) == "relu" else limits_of(clamp)
    if limits is None or said.output.low < limits[0] or said.output.high > limits[1]:
        return clamp
    clamp.replace_all_uses_with(conv)
    module.graph.erase_node(clamp)
    return conv


def _representable(module: GraphModule, conv: Node, said: _Marked, per_channel: bool) -> Range:
    """Return the range of a convolution's output, as wide as XNNPACK has a scale for.

    Where a step of the output is smaller than 1/255 of one of the sums, finer steps say nothing.
    """
    weight = tensor_of(module, conv.args[1])
    assert isinstance(weight, Tensor)
    transposed = operation_of(conv) == TRANSPOSED
    scales = weight_scales(weight, transposed=transposed, per_channel=per_channel)
    sums = scale_and_zero_point(said.source)[0] * float(scales.max())
    wider = sums / (MOST_STEPS * scale_and_zero_point(said.output)[0])
    if wider <= 1:
        return said.output
    return Range(said.output.low * wider, said.output.high * wider)


def _quantize_weight(module: GraphModule, conv: Node, per_channel: bool) -> None:
    """Store a convolution's weight as int8."""
    weight = tensor_of(module, conv.args[1])
    assert isinstance(weight, Tensor)
    transposed = operation_of(conv) == TRANSPOSED
    # XNNPACK has one scale alone for transposed convolutions in groups.
    grouped = transposed and argument(conv, 6, "groups", 1) != 1
    each = per_channel and not grouped
    scales = weight_scales(weight, transposed=transposed, per_channel=each)
    steps = (weight / scales).round().clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS).to(torch.int8)
    stored = add_weight(module, conv, steps.contiguous())
    limits = (-WEIGHT_LEVELS, WEIGHT_LEVELS, torch.int8)
    library, graph = torch.ops.quantized_decomposed, module.graph
    if each:
        flat = scales.flatten()
        factors = (add_weight(module, conv, flat.clone()),
                   add_weight(module, conv, torch.zeros(len(flat), dtype=torch.int64)))  # fmt: skip
        with graph.inserting_before(conv):
            value = graph.call_function(
                library.dequantize_per_channel.default,
                (stored, *factors, 1 if transposed else 0, *limits),
            )
    else:
        with graph.inserting_before(conv):
            value = graph.call_function(
                library.dequantize_per_tensor.default, (stored, float(scales), 0, *limits)
            )
    conv.update_arg(1, value)
