"""int8 Core AI graphs: W8A8, written as Core ML's are.

Convolutions read int8 weights and activations that a quantize and a dequantize hold in eight bits;
what lies between two of them stands between such pairs of one scale too. Statistics, transposed
convolutions and the recipe's float layers stay in float, and what computes in float reads the
results of convolutions unrounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch.fx import GraphModule, Node

from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import PassFact, QuantizationFact
from styleexport.core.recipe import Int8Recipe
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import argument, tensor_of
from styleexport.exporter.quantize.blocks import (
    QuantizedBlock,
    find_blocks,
    moves,
    nodes_by_name,
    quantized_blocks,
)
from styleexport.exporter.quantize.pairs import WIDENED, Pair, pair_of
from styleexport.exporter.quantize.quantization_fact import quantization_fact
from styleexport.exporter.targets.coreai.weights import ops, store_integers

aten = torch.ops.aten
TRANSPOSED = "Core AI files hold no integer transposed convolution here, as Core ML's do not"


@dataclass(frozen=True)
class Body:
    """The part of a module that is computed in int8.

    Attributes:
        convolutions: convolution → block of the recipe's graph that it is.
        moving: nodes that only move values to them, all of whose readers do.
    """

    convolutions: Mapping[Node, QuantizedBlock]
    moving: tuple[Node, ...]

    @classmethod
    def of(cls, module: GraphModule, blocks: Mapping[str, QuantizedBlock]) -> Body:
        """Return the body of a module.

        Args:
            module: rewritten module, whose convolutions are called as in the recipe's graph.
            blocks: blocks in int8 by layer.
        """
        found = {node: blocks[node.name] for node in module.graph.nodes if node.name in blocks}
        inside = set(found)
        moving: dict[Node, None] = {}
        for node in reversed(module.graph.nodes):
            if node.users and moves(node) and inside.issuperset(node.users):
                moving[node] = None
                inside.add(node)
        return cls(found, tuple(moving))

    def origin(self, node: Node) -> Node:
        """Return the node whose values a node of the body reads, moved but not changed."""
        data = node.all_input_nodes[0]
        return self.origin(data) if data in self.moving else data


def quantize_body(
    module: GraphModule, graph: Graph, recipe: Int8Recipe, *, half: bool
) -> tuple[QuantizationFact, PassFact]:
    """Compute the body of a module in int8, in place; return how, and what was not applied.

    Args:
        module: rewritten form of the graph, in float32 or float16.
        graph: graph that the recipe names.
        recipe: what is quantized and how.
        half: whether the module computes in float16.

    Raises:
        UnsupportedOp: no convolution would be computed in int8.
    """
    wanted = quantized_blocks(find_blocks(graph.reading), recipe.float_layers)
    plain = {block.layer: block for block in wanted if not block.transposed}
    _check_same(module, graph, plain)
    _pad_apart(module, plain)
    body = Body.of(module, plain)
    if not body.convolutions:
        raise UnsupportedOp(
            "int8 would leave every convolution of the network in float: "
            "type --precision int8-weights"
        )
    pairs: dict[Node, Pair] = {}
    widened: dict[str, None] = {}
    for node, block in body.convolutions.items():
        held = recipe.ranges[block.source]
        pair = pairs.setdefault(body.origin(node), pair_of(held, half=half))
        if pair.widens(held):
            widened[block.source] = None
    kind = torch.float16 if half else torch.float32
    read = {node: pairs[body.origin(node)] for node in (*body.convolutions, *body.moving)}
    for node, pair in read.items():
        _read_integers(module, node, pair, kind)
    settings = recipe.settings
    for node in body.convolutions:
        per_channel = settings.weights == "per-channel"
        store_integers(module, node, per_channel=per_channel, palettes=settings.weight_bits == 4)
    module.graph.eliminate_dead_code()
    module.recompile()
    fact = quantization_fact(graph.reading, recipe, "static", "int8")
    if settings.weight_bits == 4:
        fact = msgspec.structs.replace(fact, weight_dtype="uint4")
    reasons = [f"{x.layer} stays in float: {TRANSPOSED}" for x in wanted if x.transposed]
    if widened:
        reasons.append(f"{', '.join(widened)}: {WIDENED}")
    applied = len(body.convolutions)
    return fact, PassFact(name="int8-recipe", applied=applied, refused=tuple(reasons))


def _check_same(module: GraphModule, graph: Graph, blocks: Mapping[str, QuantizedBlock]) -> None:
    """Check that convolutions are called as in the graph: rewrites add none and keep the order."""
    mine, theirs = nodes_by_name(module), nodes_by_name(graph.reading)
    for layer in blocks:
        one, other = (
            tensor_of(module, mine[layer].args[1]),
            tensor_of(graph.reading, theirs[layer].args[1]),
        )
        assert one is not None and other is not None, layer
        assert torch.equal(one, other.to(one.dtype)), layer


def _pad_apart(module: GraphModule, blocks: Mapping[str, QuantizedBlock]) -> None:
    """Pad with zeros in front of convolutions, as the converter does, so that a pair lies between.

    Args:
        module: changed in place.
        blocks: blocks in int8 by layer.
    """
    for node in list(module.graph.nodes):
        padding = argument(node, 4, "padding", 0) if node.name in blocks else 0
        sides: list[Any] = [padding] * 2 if isinstance(padding, int) else list(padding)  # pyright: ignore
        if node.target is not aten.conv2d.default or not any(sides):
            continue
        data = node.all_input_nodes[0]
        with module.graph.inserting_before(node):
            around = [sides[1], sides[1], sides[0], sides[0]]
            padded = module.graph.call_function(aten.pad.default, (data, around))
        padded.meta = dict(data.meta)
        node.args = (padded, *node.args[1:4], [0, 0], *node.args[5:])


def _read_integers(module: GraphModule, node: Node, pair: Pair, kind: torch.dtype) -> None:
    """Make a node read its input through a quantize and a dequantize, which others may share."""
    data = node.all_input_nodes[0]
    known = next((x for x in data.users if x.target is ops.quantize.default), None)
    if known is None:
        integer = torch.int8 if pair.dtype == "int8" else torch.uint8
        scale = _constant(module, data, "scale", torch.tensor(pair.scale, dtype=kind))
        zero = _constant(module, data, "zero", torch.tensor(pair.zero_point, dtype=integer))
        with module.graph.inserting_after(scale):  # the last: each went right behind the data
            known = module.graph.call_function(
                ops.quantize.default, (data, scale, integer, zero, None, 0)
            )
        with module.graph.inserting_after(known):
            module.graph.call_function(
                ops.dequantize.default, (known, scale, zero, None, 0, integer, kind)
            )
    (dequantized,) = known.users
    node.replace_input_with(data, dequantized)
    dequantized.meta = dict(data.meta)


def _constant(module: GraphModule, data: Node, name: str, value: torch.Tensor) -> Node:
    """Return the node of a number, placed behind the node whose values it is for."""
    module.register_buffer(f"{data.name}_{name}", value)
    with module.graph.inserting_after(_last_of(data)):
        return module.graph.get_attr(f"{data.name}_{name}")


def _last_of(node: Node) -> Node:
    """Return the node behind which others may be inserted: inputs come before all operations."""
    if node.op != "placeholder":
        return node
    return [x for x in node.graph.nodes if x.op == "placeholder"][-1]
