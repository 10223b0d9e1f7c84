"""Quantized blocks: the convolutions of a graph, and what passes values on to them.

A *block* is a convolution with the ReLU or clamp behind it, if nothing else reads the convolution.
Between two blocks lie operations that only move values (padding, pooling, nearest upsampling): they
keep the scale of what they read. The tensor at which a range is needed is therefore the *source* of
a block, what it reads apart from those operations, and its *output*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.fx import GraphModule, Node

from styleexport.core.recipe import FloatLayer
from styleexport.exporter.graph.graph import RECTIFIERS, captured_shape, node_macs, operation_of
from styleexport.exporter.graph.rewrite import argument
from styleexport.exporter.graph.whitening import WHITENED, before_first_whitening

CONV, TRANSPOSED = "conv2d", "conv_transpose2d"
PASSED_ON = ("pad", "max_pool2d", "upsample_nearest2d", "pixel_shuffle", "slice")
LIMITING = ("clamp", "hardtanh", "relu6")
ACTIVATIONS = ("relu", *LIMITING)
NORMS = ("instance_norm", "batch_norm", "group_norm", "layer_norm")
SQUASHING = ("tanh", "sigmoid")
# Linear layers compute in float. The weights of those with so many are stored as int8.
LEAST_LINEAR = 2048
# A convolution of so few channels, such as one to a picture, leaves most of an integer kernel idle.
NARROW = 4
# Output channels that a kernel of integer products computes at once.
KERNEL = 16
TO_THE_PICTURE = (*NORMS, *SQUASHING, "clamp", "slice", "mul", "add", "sub", "div")

AMPLIFIED = "what follows multiplies its rounding error on the way to the picture"
ONE_VALUE = "it computes one value a channel, which scales or shifts a whole map"
NO_KERNEL = "ONNX Runtime has no integer kernel for transposed convolutions; LiteRT's costs 5 dB"


@dataclass(frozen=True)
class QuantizedBlock:
    """One convolution that may be computed in int8.

    Attributes:
        layer: the convolution's node.
        output: the node whose values leave the block: the activation's, or the convolution's.
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


def moves(node: Node) -> bool:
    """Whether a node only moves values, of all channels alike.

    A padding with another value than 0 adds one; a slice is to keep the channels.
    """
    padded = operation_of(node) == "pad" and argument(node, 3, "value") not in (None, 0, 0.0)
    chosen = operation_of(node) == "slice" and argument(node, 1, "dim", 0) not in (2, 3)
    return operation_of(node) in PASSED_ON and not padded and not chosen


def phases_of(node: Node) -> int:
    """Return how many channels of a convolution make one, by depth to space; 1 without one.

    See `exporter.rewrites.phases`: such channels need one gain.
    """
    while len(node.users) == 1:
        (node,) = node.users
        if operation_of(node) == "pixel_shuffle":
            return int(node.args[1]) ** 2  # pyright: ignore[reportArgumentType]
        if operation_of(node) not in RECTIFIERS:
            break
    return 1


def source_of(node: Node) -> Node:
    """Return the node whose values another one holds, moved but not changed."""
    while moves(node) and isinstance(node.args[0], Node):
        node = node.args[0]
    return node


def limits_of(node: Node) -> tuple[float, float] | None:
    """Return the limits of a clamp that has two for all channels; None of any other operation."""
    if operation_of(node) == "relu6":
        return 0.0, 6.0
    if operation_of(node) not in LIMITING:
        return None
    low, high = argument(node, 1, "min"), argument(node, 2, "max")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    return float(low), float(high)


def find_blocks(module: GraphModule) -> tuple[QuantizedBlock, ...]:
    """Return the blocks of a captured module, in order.

    A convolution whose weight is computed by the network is none.
    """
    found: list[QuantizedBlock] = []
    for node in module.graph.nodes:
        if operation_of(node) not in (CONV, TRANSPOSED):
            continue
        data, weight, *rest = node.args
        bias = rest[0] if rest else None
        if not (isinstance(weight, Node) and weight.op == "get_attr" and isinstance(data, Node)):
            continue
        readers = list(node.users)
        fused = len(readers) == 1 and operation_of(readers[0]) in ACTIVATIONS
        found.append(
            QuantizedBlock(
                layer=node.name,
                output=readers[0].name if fused else node.name,
                source=source_of(data).name,
                weight=str(weight.target),
                bias=str(bias.target) if isinstance(bias, Node) else None,
                macs=node_macs(node),
                transposed=operation_of(node) == TRANSPOSED,
            )
        )
    return tuple(found)


def default_float_layers(
    module: GraphModule, blocks: Sequence[QuantizedBlock], *, segments: bool = False
) -> tuple[FloatLayer, ...]:
    """Return the blocks that stay in float unless a recipe says otherwise, and why.

    Args:
        module: captured module.
        blocks: its blocks.
        segments: whether outputs may come in segments, which a few channels do for little.
    """
    by_name = nodes_by_name(module)
    amplified = {
        name
        for name in amplified_layers(module)
        if not segments or by_name[name].meta["val"].shape[1] > NARROW
    }
    whitened = before_first_whitening(module.graph)
    reasons = {
        block.layer: AMPLIFIED
        if block.layer in amplified
        else WHITENED
        if block.layer in whitened
        else NO_KERNEL
        if block.transposed
        else ONE_VALUE
        if _has_one_value(by_name[block.layer])
        else None
        for block in blocks
    }
    return tuple(float_layer(block, reason) for block in blocks if (reason := reasons[block.layer]))


def _has_one_value(node: Node) -> bool:
    """Whether a node makes one value a channel, as squeeze-and-excite blocks do."""
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and captured_shape(value)[2:] == (1, 1)


def float_layer(block: QuantizedBlock, reason: str) -> FloatLayer:
    """Return a block as one that stays in float.

    The capture puts its own modules around a network, and folded weights are not the network's.
    """
    name = re.sub(r"^(network\.)+", "", block.weight)
    return FloatLayer(layer=block.layer, reason=reason, weight="" if "folded_" in name else name)


def amplified_layers(module: GraphModule) -> set[str]:
    """Return convolutions that reach the output through a normalisation, tanh or sigmoid."""
    found: set[str] = set()
    for result in module.graph.output_node().all_input_nodes:
        node, amplified = result, False
        while operation_of(node) in TO_THE_PICTURE:
            centres = operation_of(node) == "sub" and any(
                operation_of(x) == "mean" for x in node.all_input_nodes
            )
            amplified = amplified or operation_of(node) in (*NORMS, *SQUASHING) or centres
            node = max(node.all_input_nodes, key=elements)
        if operation_of(node) == CONV and amplified:
            found.add(node.name)
    return found


def elements(node: Node) -> int:
    """Return how many values a node makes, where it was captured; 0 where it makes no tensor."""
    value = node.meta.get("val")
    return math.prod(captured_shape(value)) if isinstance(value, torch.Tensor) else 0


def quantized_blocks(
    blocks: Sequence[QuantizedBlock], float_layers: Sequence[FloatLayer]
) -> tuple[QuantizedBlock, ...]:
    """Return the blocks outside the float layers."""
    kept = {item.layer for item in float_layers}
    return tuple(block for block in blocks if block.layer not in kept)


def ranged_layers(blocks: Sequence[QuantizedBlock]) -> tuple[str, ...]:
    """Return the layers whose values a quantized block reads or gives, each once, in order."""
    return tuple(dict.fromkeys(name for block in blocks for name in (block.source, block.output)))


def nodes_by_name(module: GraphModule) -> Mapping[str, Node]:
    """Return node name → node."""
    return {node.name: node for node in module.graph.nodes}
