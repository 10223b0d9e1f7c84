"""Reductions over axes; without axes, over all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import Ints, Op, operations


def reduce_argmax(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32"
) -> Tensor:
    """Return where the largest value along an axis is."""
    return x.argmax(axis, keepdim=keep_dims)


def reduce_argmin(
    x: Tensor, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32"
) -> Tensor:
    """Return where the smallest value along an axis is."""
    return x.argmin(axis, keepdim=keep_dims)


def _prod(x: Tensor, axes: Ints) -> Tensor:
    for axis in axes:
        x = x.prod(axis, keepdim=True)
    return x


PLAIN: dict[str, Callable[[Tensor, Ints], Tensor]] = {
    "reduce_l1_norm": lambda x, axes: x.abs().sum(axes, keepdim=True),
    "reduce_l2_norm": lambda x, axes: x.square().sum(axes, keepdim=True).sqrt(),
    "reduce_log_sum": lambda x, axes: x.sum(axes, keepdim=True).log(),
    "reduce_log_sum_exp": lambda x, axes: torch.logsumexp(x, axes, keepdim=True),
    "reduce_max": lambda x, axes: x.amax(axes, keepdim=True),
    "reduce_mean": lambda x, axes: x.float().mean(axes, keepdim=True),
    "reduce_min": lambda x, axes: x.amin(axes, keepdim=True),
    "reduce_prod": _prod,
    "reduce_sum": lambda x, axes: x.sum(axes, keepdim=True),
    "reduce_sum_square": lambda x, axes: x.square().sum(axes, keepdim=True),
}


def _plain(function: Callable[[Tensor, Ints], Tensor]) -> Op:
    def apply(x: Tensor, axes: Ints | None = None, keep_dims: bool = False) -> Tensor:
        over = tuple(sorted({axis % x.dim() for axis in (axes or range(x.dim()))}))
        result = function(x, over)
        return result if keep_dims else result.squeeze(over)

    return Op.of(apply)


OPS = operations(globals()) | {name: _plain(function) for name, function in PLAIN.items()}
