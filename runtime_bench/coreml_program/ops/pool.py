"""Poolings over one, two or three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from styleexport.runtime_bench.coreml_program.op import Ints, operations
from styleexport.runtime_bench.coreml_program.ops._window import (
    Pads,
    padded,
    window_pads,
)

MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
MEANS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def max_pool(
    x: Tensor,
    kernel_sizes: Ints,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the largest value in each window; what is padded never wins."""
    strides = strides or (1,) * len(kernel_sizes)
    pads = window_pads(x.shape[2:], kernel_sizes, strides, pad_type, pad)
    extended = _extended(x.shape[2:], kernel_sizes, strides, pads, ceil_mode)
    return MAXIMA[len(strides)](padded(x, extended, -math.inf), kernel_sizes, strides)


def avg_pool(
    x: Tensor,
    kernel_sizes: Ints,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the mean of each window.

    Padding counts as zeros unless it is excluded; what ``ceil_mode`` adds never counts, as in
    torch.
    """
    strides = strides or (1,) * len(kernel_sizes)
    pads = window_pads(x.shape[2:], kernel_sizes, strides, pad_type, pad)
    extended = _extended(x.shape[2:], kernel_sizes, strides, pads, ceil_mode)
    total = _sums(padded(x, extended), kernel_sizes, strides)
    ones = torch.ones(1, 1, *x.shape[2:])
    if not exclude_padding_from_average:
        ones = padded(ones, pads, 1.0)
        extended = tuple((0, more[1] - pair[1]) for more, pair in zip(extended, pads, strict=True))
    return total / _sums(padded(ones, extended), kernel_sizes, strides)


def l2_pool(
    x: Tensor,
    kernel_sizes: Ints,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the root of the sum of squares in each window."""
    strides = strides or (1,) * len(kernel_sizes)
    pads = window_pads(x.shape[2:], kernel_sizes, strides, pad_type, pad)
    extended = _extended(x.shape[2:], kernel_sizes, strides, pads, ceil_mode)
    return _sums(padded(x.square(), extended), kernel_sizes, strides).sqrt()


def _sums(x: Tensor, kernel: Ints, strides: Ints) -> Tensor:
    return MEANS[len(kernel)](x, kernel, strides) * math.prod(kernel)


def _extended(
    sides: Sequence[int], kernel: Ints, strides: Ints, pads: Pads, ceil_mode: bool
) -> Pads:
    """Return the pads, longer after where ``ceil_mode`` adds a window that passes the end.

    A window that would begin in the padding after the end is not added.
    """
    if not ceil_mode:
        return pads
    longer: list[tuple[int, int]] = []
    for side, extent, stride, (before, after) in zip(sides, kernel, strides, pads, strict=True):
        count = math.ceil((side + before + after - extent) / stride) + 1
        if (count - 1) * stride >= side + before and before + after > 0:
            count -= 1
        needed = (count - 1) * stride + extent
        longer.append((before, after + max(0, needed - side - before - after)))
    return tuple(longer)


OPS = operations(globals())
