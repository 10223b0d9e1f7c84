"""Fold inference-mode batch norm into the convolution in front of it.

    γ·(conv(W, c)(x) - μ)/√(σ² + ε) + β  =  conv(s·W, s·c + β - s·μ)(x),  s = γ/√(σ² + ε)

The statistics are constants at inference, so the norm is one multiplication and one addition a
channel, which the convolution's own weights and bias can carry.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight
from styleexport.exporter.passes.fold_pointwise import (
    CONV,
    batch_norm_affine,
    conv_settings,
    conv_weights,
)

BATCH_NORM = torch.ops.aten.batch_norm.default


def rewrite(module: GraphModule) -> Outcome:
    """Fold every batch norm that directly follows a convolution of its own."""
    applied, refused = 0, list[str]()
    for norm in [node for node in module.graph.nodes if node.target is BATCH_NORM]:
        conv = norm.args[0]
        if not isinstance(conv, Node) or conv.target is not CONV:
            refused.append(f"{norm.name} does not follow a convolution")
            continue
        if len(conv.users) > 1:
            refused.append(f"{conv.name} has {len(conv.users)} users, {norm.name} is one of them")
            continue
        weight, bias = conv_weights(module, conv)
        scale, offset = batch_norm_affine(module, norm)
        if weight is None or scale is None or offset is None:
            refused.append(f"{norm.name} is in training mode or has no constant statistics")
            continue
        folded = weight.double() * scale.reshape(-1, 1, 1, 1)
        offset = offset + scale * bias.double() if bias is not None else offset
        source = conv.args[0]
        new = (add_weight(module, conv, folded), add_weight(module, conv, offset))
        conv.args = (source, *new, *conv_settings(conv))  # pyright: ignore
        conv.kwargs = {}
        norm.replace_all_uses_with(conv)
        module.graph.erase_node(norm)
        applied += 1
    return Outcome(applied, tuple(refused))


# Before fold-pointwise, which would fold it forward into one of several layers that read it.
PASS = Pass("fold-batch-norm", 5, rewrite)
