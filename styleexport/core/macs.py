"""Multiply-accumulates of convolutions and matrix products, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "convolution")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
PRODUCTS = ("mm", "addmm", "bmm", "matmul")
MULTIPLYING = frozenset((*CONVOLUTIONS, *TRANSPOSED, "linear", *PRODUCTS))


def macs_of(
    operation: str, data: Sequence[int], weight: Sequence[int], output: Sequence[int]
) -> int:
    """Return the multiply-accumulates of one torch operation; 0 for all others.

    A convolution multiplies each output element by in·kh·kw weights, a transposed one each input
    element by out·kh·kw, a matrix product each output element by the inner length.

    Args:
        operation: name in aten, without namespace and overload; a transposed ``convolution`` is
            ``conv_transpose2d``.
        data: shape of the input, [N, C, H, W] or [..., K].
        weight: shape of the weight, [M, C/groups, kh, kw], of a transposed convolution
            [C, M/groups, kh, kw], of ``linear`` [M, K], of a product [K, M].
        output: shape of the output.
    """
    if operation in TRANSPOSED:
        return math.prod(data) * math.prod(weight[1:])
    if operation in CONVOLUTIONS or operation == "linear":
        return math.prod(output) * math.prod(weight[1:])
    if operation in PRODUCTS:
        return math.prod(output) * data[-1]
    return 0
