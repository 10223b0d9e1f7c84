"""Attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import operations


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    """Return softmax(Q·Kᵀ / √E + mask)·V; a mask of truth values says what takes part."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return torch.softmax(scores, -1) @ value


OPS = operations(globals())
