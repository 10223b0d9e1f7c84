"""Fold pointwise affine maps into the convolution behind them.

    conv(W, c) ∘ pad ∘ (x ↦ A·x + b)  =  conv(W·A, c + Σ_ij W_ij·b) ∘ pad

A is diagonal for a pixel scaling, a channel mixing for a 1x1 convolution (VGG's normalisation). The
map acts on each pixel alone, so it commutes with padding that copies pixels (reflect, replicate,
circular). Padding with zeros inserts pixels the map never saw: exact only when b = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, argument, tensor_of

aten = torch.ops.aten
CONV = aten.conv2d.default
COPYING_PADS = ("reflect", "replicate", "circular")
PAD_OPS = (
    aten.reflection_pad2d.default,
    aten.replication_pad2d.default,
)
ARITHMETIC = (aten.mul.Tensor, aten.div.Tensor, aten.add.Tensor, aten.sub.Tensor)


@dataclass(frozen=True)
class Affine:
    """x ↦ matrix·x + offset on the channels of each pixel, in float64."""

    matrix: Tensor
    offset: Tensor


def affine_of(module: GraphModule, node: Node) -> tuple[Affine, Node] | None:
    """Return the pointwise affine map that a node computes and the node it acts on, or None."""
    source = argument(node, 0, "input")
    if not isinstance(source, Node) or "val" not in source.meta:
        return None
    shape = source.meta["val"].shape
    if len(shape) != 4 or not isinstance(shape[1], int):
        return None
    if node.target is CONV:
        return _of_pointwise_conv(module, node, source)
    if node.target is aten.batch_norm.default:
        return _of_batch_norm(module, node, source)
    if node.target in ARITHMETIC:
        return _of_arithmetic(module, node, source, int(shape[1]))
    return None


def _of_pointwise_conv(module: GraphModule, node: Node, source: Node) -> tuple[Affine, Node] | None:
    weight, bias = conv_weights(module, node)
    plain = (
        weight is not None
        and weight.shape[2:] == (1, 1)
        and conv_settings(node) == ([1, 1], [0, 0], [1, 1], 1)
    )
    if weight is None or not plain:
        return None
    offset = bias.double() if bias is not None else torch.zeros(weight.shape[0]).double()
    return Affine(weight.double()[:, :, 0, 0], offset), source


def _of_batch_norm(module: GraphModule, node: Node, source: Node) -> tuple[Affine, Node] | None:
    scale, offset = batch_norm_affine(module, node)
    return None if scale is None or offset is None else (Affine(torch.diag(scale), offset), source)


def batch_norm_affine(module: GraphModule, node: Node) -> tuple[Tensor | None, Tensor | None]:
    """Return scale and offset of an inference-mode batch norm, float64; None in training mode."""
    if argument(node, 5, "training", False):
        return None, None
    gamma, beta, mean, variance = (tensor_of(module, argument(node, i, "")) for i in range(1, 5))
    if mean is None or variance is None:
        return None, None
    eps = argument(node, 7, "eps", 1e-5)
    assert isinstance(eps, float)
    scale = torch.rsqrt(variance.double() + eps)
    scale = scale * gamma.double() if gamma is not None else scale
    offset = -mean.double() * scale
    return scale, offset + beta.double() if beta is not None else offset


def _of_arithmetic(
    module: GraphModule, node: Node, source: Node, channels: int
) -> tuple[Affine, Node] | None:
    value = node.args[1]
    alpha = float(str(argument(node, 2, "alpha", 1)))
    if isinstance(value, Node):
        tensor = tensor_of(module, value)
        if tensor is None or tensor.numel() not in (1, channels):
            return None
        per_channel = (
            tensor.dim() == 0
            or tensor.numel() == 1
            or (tensor.dim() >= 3 and tensor.shape[-3] == channels)
        )
        if not per_channel:
            return None
        operand = tensor.double().flatten().expand(channels)
    elif isinstance(value, int | float):
        operand = torch.full((channels,), float(value), dtype=torch.float64)
    else:
        return None
    one, zero = torch.ones(channels).double(), torch.zeros(channels).double()
    scale, offset = {
        aten.mul.Tensor: (operand, zero),
        aten.div.Tensor: (1 / operand, zero),
        aten.add.Tensor: (one, alpha * operand),
        aten.sub.Tensor: (one, -alpha * operand),
    }[node.target]  # pyright: ignore[reportArgumentType]
    return Affine(torch.diag(scale), offset), source


def conv_weights(module: GraphModule, conv: Node) -> tuple[Tensor | None, Tensor | None]:
    """Return weight and bias of a convolution, None where they are not constants."""
    return tensor_of(module, argument(conv, 1, "weight")), tensor_of(
        module, argument(conv, 2, "bias")
    )


def conv_settings(conv: Node) -> tuple[object, object, object, object]:
    """Return stride, padding, dilation and groups of a convolution."""

    def pair(value: object) -> object:
        return list(value) * (2 // len(value)) if isinstance(value, list | tuple) else value

    return (
        pair(argument(conv, 3, "stride", [1, 1])),
        pair(argument(conv, 4, "padding", [0, 0])),
        pair(argument(conv, 5, "dilation", [1, 1])),
        argument(conv, 6, "groups", 1),
    )


def _behind_pad(node: Node) -> tuple[Node, str | None]:
    """Return the node in front of a padding, and what the padding inserts if not copies."""
    if node.target in PAD_OPS:
        return _input(node), None
    if node.target is aten.pad.default:
        mode = argument(node, 2, "mode", "constant")
        if mode in COPYING_PADS:
            return _input(node), None
        value = argument(node, 3, "value", None)
        return _input(node), "zeros" if not value else f"the value {value}"
    if node.target is aten.constant_pad_nd.default:
        value = argument(node, 2, "value", 0)
        return _input(node), "zeros" if not value else f"the value {value}"
    return node, None


def _input(node: Node) -> Node:
    source = node.args[0]
    assert isinstance(source, Node)
    return source


def _refusal(conv: Node, affine: Affine, inserted: str | None, weight: Tensor) -> str | None:
    """Return why the map cannot be folded, or None."""
    _, padding, _, groups = conv_settings(conv)
    if groups != 1:
        return f"{conv.name} is a grouped convolution"
    if inserted is None and padding != [0, 0]:
        inserted = "zeros"
    shifts = bool(affine.offset.any())
    if inserted is not None and (shifts or inserted != "zeros"):
        return f"{conv.name} pads with {inserted}, which does not commute with adding an offset"
    outputs, inputs, height, width = weight.shape
    area, before = height * width, affine.matrix.shape[1]
    mixes = (
        bool((affine.matrix - torch.diag(affine.matrix.diagonal())).any())
        if (inputs == before)
        else True
    )
    if mixes and area * before * outputs > before * inputs + area * inputs * outputs:
        return f"folding into {conv.name} would cost more than it saves"
    return None


def rewrite(module: GraphModule) -> Outcome:
    """Fold until nothing folds."""
    applied, refused = 0, dict[str, None]()
    for conv in [node for node in module.graph.nodes if node.target is CONV]:
        while True:
            step = _fold_one(module, conv)
            if isinstance(step, str):
                refused[step] = None
            if step is not True:
                break
            applied += 1
    return Outcome(applied, tuple(refused))


def _fold_one(module: GraphModule, conv: Node) -> bool | str:
    """Fold the map in front of a convolution: True, False if there is none, or why not."""
    weight, bias = conv_weights(module, conv)
    if weight is None:
        return False
    pad = _input(conv)
    producer, inserted = _behind_pad(pad)
    found = affine_of(module, producer)
    if found is None:
        return False
    affine, source = found
    if (reason := _refusal(conv, affine, inserted, weight)) is not None:
        return reason
    if producer.target is CONV and len(producer.users) > 1:
        return f"{producer.name} has {len(producer.users)} users and would be computed still"
    wide = weight.double()
    folded = torch.einsum("ochw,ck->okhw", wide, affine.matrix)
    offset = torch.einsum("ochw,c->o", wide, affine.offset)
    offset = offset + bias.double() if bias is not None else offset
    new_weight = add_weight(module, conv, folded)
    new_bias = add_weight(module, conv, offset)
    if pad is not producer:
        with module.graph.inserting_before(conv):
            pad = module.graph.node_copy(pad)
        pad.replace_input_with(producer, source)
        pad.meta["val"] = source.meta["val"]
        entry = pad
    else:
        entry = source
    conv.args = (entry, new_weight, new_bias, *conv_settings(conv))  # pyright: ignore
    conv.kwargs = {}
    return True


PASS = Pass("fold-pointwise", 10, rewrite)
