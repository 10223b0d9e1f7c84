"""Selection; operations that branch or loop over blocks are not supported."""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import operations


def select(cond: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> Tensor:
    """Return a where the condition holds and b elsewhere; without them, where it holds."""
    if a is None or b is None:
        return torch.nonzero(cond)
    return torch.where(cond.bool(), a, b)


OPS = operations(globals())
