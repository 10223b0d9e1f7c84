"""Write an inference-mode batch norm that nothing folds as what it is: y = s·x + t per channel.

    γ·(x - μ)/√(σ² + ε) + β  =  s·x + t,   s = γ/√(σ² + ε),  t = β - s·μ

DenseNet's norms follow concatenations and precede ReLUs, so no convolution can take them. Every
target has the multiplication and the addition, in each layout.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule

from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight
from styleexport.exporter.passes.fold_batch_norm import BATCH_NORM
from styleexport.exporter.passes.fold_pointwise import batch_norm_affine

aten = torch.ops.aten


def rewrite(module: GraphModule) -> Outcome:
    """Write every batch norm of maps [N, C, H, W] as a multiplication and an addition."""
    applied = 0
    for norm in [node for node in module.graph.nodes if node.target is BATCH_NORM]:
        scale, shift = batch_norm_affine(module, norm)
        value = norm.meta["val"]
        if scale is None or shift is None or value.dim() != 4:
            continue
        factor, offset = (
            add_weight(module, norm, item.reshape(1, -1, 1, 1)) for item in (scale, shift)
        )
        with module.graph.inserting_before(norm):
            scaled = module.graph.call_function(aten.mul.Tensor, (norm.args[0], factor))
            new = module.graph.call_function(aten.add.Tensor, (scaled, offset))
        scaled.meta["val"] = new.meta["val"] = value
        norm.replace_all_uses_with(new)
        module.graph.erase_node(norm)
        applied += 1
    return Outcome(applied)


PASS = Pass("expand-batch-norm", 30, rewrite)
