"""Normalisations; variances are those of all values (divided by n)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import Ints, operations


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Return γ·(x - mean) / √(variance + ε) + β with stored statistics a channel."""
    normal = (x - _spread(mean, x, (1,))) / torch.sqrt(_spread(variance, x, (1,)) + epsilon)
    return _affine(normal, gamma, beta, (1,))


def instance_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: float = 1e-5
) -> Tensor:
    """Return γ·(x - mean) / √(variance + ε) + β with statistics of each image and channel."""
    return _affine(_normalised(x, range(2, x.dim()), epsilon), gamma, beta, (1,))


def layer_norm(
    x: Tensor,
    axes: Ints | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: float = 1e-5,
) -> Tensor:
    """Return γ·(x - mean) / √(variance + ε) + β with statistics over some axes, by default all."""
    over = range(x.dim()) if axes is None else sorted(axis % x.dim() for axis in axes)
    return _affine(_normalised(x, over, epsilon), gamma, beta, over)


def l2_norm(x: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Return x / √(Σx² + ε), the sum over the last three axes."""
    return x / torch.sqrt(x.square().sum((-3, -2, -1), keepdim=True) + epsilon)


def local_response_norm(
    x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return x / (k + α/size · Σx²)^β, the sum over neighbouring channels."""
    return F.local_response_norm(x, size, alpha, beta, k)


def _normalised(x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    variance, mean = torch.var_mean(x, tuple(axes), correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon)


def _affine(x: Tensor, gamma: Tensor | None, beta: Tensor | None, axes: Sequence[int]) -> Tensor:
    scaled = x if gamma is None else x * _spread(gamma, x, axes)
    return scaled if beta is None else scaled + _spread(beta, x, axes)


def _spread(values: Tensor, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Return values that lie along some axes of x, shaped to be broadcast over the others."""
    return values.reshape([x.shape[axis] if axis in axes else 1 for axis in range(x.dim())])


OPS = operations(globals())
