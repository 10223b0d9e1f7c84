"""What of a graph can be computed in int8: its convolutions, and what passes values on to them.

A *unit* is a convolution with the ReLU or clamp behind it, if nothing else reads the convolution.
Between two units lie operations that only move values (padding, pooling, nearest upsampling): they
keep the scale of what they read. The tensor at which a range is needed is therefore the *source* of
a unit, what it reads apart from those operations, and its *output*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.fx import Graph as Nodes
from torch.fx import GraphModule, Node

from styleexport.core.macs import operation_macs
from styleexport.core.recipe import Island
from styleexport.exporter.graph.rewrite import argument

CONV, TRANSPOSED = "conv2d", "conv_transpose2d"
PASSED_ON = ("pad", "max_pool2d", "upsample_nearest2d")
ACTIVATIONS = ("relu", "clamp", "hardtanh")
NORMS = ("instance_norm", "batch_norm", "group_norm", "layer_norm")
SQUASHING = ("tanh", "sigmoid")
TO_THE_PICTURE = (*NORMS, *SQUASHING, "clamp", "slice", "mul", "add", "sub", "div")

STRETCHED = "what follows multiplies its rounding error on the way to the picture"
NO_KERNEL = "ONNX Runtime has no integer kernel for transposed convolutions; LiteRT's costs 5 dB"


@dataclass(frozen=True)
class Unit:
    """One convolution that may be computed in int8.

    Attributes:
        layer: the convolution's node.
        output: the node whose values leave the unit: the activation's, or the convolution's.
        source: the node whose values it reads, before any padding, pooling or upsampling.
        weight: the weight's name in the module.
        bias: the bias', if it has one.
        macs: multiply-accumulates at the graph's size.
        transposed: whether it is a transposed convolution.
    """

    layer: str
    output: str
    source: str
    weight: str
    bias: str | None
    macs: int
    transposed: bool


def kind(node: object) -> str:
    """Return the operation of a node without namespace and overload, for example ``conv2d``."""
    if not isinstance(node, Node) or node.op != "call_function":
        return ""
    parts = str(node.target).split(".")
    return parts[1] if parts[0] == "aten" and len(parts) > 1 else str(node.target)


def moves(node: Node) -> bool:
    """Whether a node only moves values; a padding with another value than 0 adds one."""
    padded = kind(node) == "pad" and argument(node, 3, "value") not in (None, 0, 0.0)
    return kind(node) in PASSED_ON and not padded


def source_of(node: Node) -> Node:
    """Return the node whose values another one holds, moved but not changed."""
    while moves(node) and isinstance(node.args[0], Node):
        node = node.args[0]
    return node


def find_units(module: GraphModule) -> tuple[Unit, ...]:
    """Return the units of a captured module, in order.

    A convolution whose weight is computed by the network is none.
    """
    found: list[Unit] = []
    for node in module.graph.nodes:
        if kind(node) not in (CONV, TRANSPOSED):
            continue
        data, weight, *rest = node.args
        bias = rest[0] if rest else None
        if not (isinstance(weight, Node) and weight.op == "get_attr" and isinstance(data, Node)):
            continue
        readers = list(node.users)
        fused = len(readers) == 1 and kind(readers[0]) in ACTIVATIONS
        found.append(
            Unit(
                layer=node.name,
                output=readers[0].name if fused else node.name,
                source=source_of(data).name,
                weight=str(weight.target),
                bias=str(bias.target) if isinstance(bias, Node) else None,
                macs=_macs(node, data, weight),
                transposed=kind(node) == TRANSPOSED,
            )
        )
    return tuple(found)


def _macs(node: Node, data: Node, weight: Node) -> int:
    shapes = [x.meta["val"].shape for x in (data, weight)]
    return operation_macs(str(node.target), shapes, node.meta["val"].shape)


def default_islands(module: GraphModule, units: Sequence[Unit]) -> tuple[Island, ...]:
    """Return the units that stay in float unless a recipe says otherwise, and why."""
    stretched = _stretched(module.graph)
    return tuple(
        island(unit, STRETCHED if unit.layer in stretched else NO_KERNEL)
        for unit in units
        if unit.layer in stretched or unit.transposed
    )


def island(unit: Unit, reason: str) -> Island:
    """Return a unit as one that stays in float.

    The capture puts its own modules around a network, and folded weights are not the network's.
    """
    name = re.sub(r"^(network\.)+", "", unit.weight)
    return Island(layer=unit.layer, reason=reason, weight="" if "folded_" in name else name)


def _stretched(nodes: Nodes) -> set[str]:
    """Return convolutions that reach the output through a normalisation, tanh or sigmoid."""
    found: set[str] = set()
    for result in nodes.output_node().all_input_nodes:
        node, stretched = result, False
        while kind(node) in TO_THE_PICTURE:
            centres = kind(node) == "sub" and any(kind(x) == "mean" for x in node.all_input_nodes)
            stretched = stretched or kind(node) in (*NORMS, *SQUASHING) or centres
            node = max(node.all_input_nodes, key=elements)
        if kind(node) == CONV and stretched:
            found.add(node.name)
    return found


def elements(node: Node) -> int:
    """Return how many values a node makes; 0 where it makes no tensor."""
    value = node.meta.get("val")
    return value.numel() if isinstance(value, torch.Tensor) else 0


def quantized_units(units: Sequence[Unit], islands: Sequence[Island]) -> tuple[Unit, ...]:
    """Return the units outside the islands."""
    kept = {island.layer for island in islands}
    return tuple(unit for unit in units if unit.layer not in kept)


def ranged_layers(units: Sequence[Unit]) -> tuple[str, ...]:
    """Return the layers whose values a quantized unit reads or gives, each once, in order."""
    return tuple(dict.fromkeys(name for unit in units for name in (unit.source, unit.output)))


def nodes_by_name(module: GraphModule) -> Mapping[str, Node]:
    """Return node name → node."""
    return {node.name: node for node in module.graph.nodes}
