"""Fold a multiplication per channel into the convolution in front of it.

    γ·conv(W, c)(x)  =  conv(γ·W, γ·c)(x)

γ is a constant of one value a channel, such as the layer scale of ConvNeXt's residual blocks.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, tensor_of
from styleexport.exporter.passes.fold_pointwise import CONV, affine_of, conv_settings, conv_weights

SCALINGS = (torch.ops.aten.mul.Tensor, torch.ops.aten.div.Tensor)


def rewrite(module: GraphModule) -> Outcome:
    """Fold every such multiplication whose convolution nothing else reads."""
    applied = 0
    for node in [node for node in module.graph.nodes if node.target in SCALINGS]:
        conv, constant = node.args
        if not isinstance(conv, Node) or conv.target is not CONV or len(conv.users) > 1:
            continue
        value = tensor_of(module, constant)
        weight, bias = conv_weights(module, conv)
        affine = affine_of(module, node)
        if value is None or value.numel() == 1 or weight is None or affine is None:
            continue
        scale = affine[0].matrix.diagonal()
        new = [add_weight(module, conv, weight.double() * scale.reshape(-1, 1, 1, 1))]
        new.append(add_weight(module, conv, bias.double() * scale) if bias is not None else None)  # pyright: ignore
        conv.args = (conv.args[0], *new, *conv_settings(conv))  # pyright: ignore
        conv.kwargs = {}
        node.replace_all_uses_with(conv)
        module.graph.erase_node(node)
        applied += 1
    return Outcome(applied)


PASS = Pass("fold-scale", 5, rewrite)
