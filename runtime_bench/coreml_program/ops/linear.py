"""Matrix products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import Tensors, operations


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x·weightᵀ + bias."""
    return F.linear(x, weight, bias)


def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Return the matrix product over the last two axes; a vector cannot be transposed."""
    left = x.mT if transpose_x and x.dim() > 1 else x
    right = y.mT if transpose_y and y.dim() > 1 else y
    return torch.matmul(left, right)


def einsum(values: Tensors, equation: str) -> Tensor:
    """Return the sum of products that the equation names."""
    return torch.einsum(equation, *values)


OPS = operations(globals())
