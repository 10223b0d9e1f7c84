"""Multiply-accumulates of a torch operation: the one count of the package."""

from __future__ import annotations

import math
from collections.abc import Sequence

Shape = Sequence[int]


def operation_macs(
    name: str, shapes: Sequence[Shape], output: Shape, *, transposed: bool = False
) -> int:
    """Return the multiply-accumulates of one operation; 0 where it is no convolution or product.

    They are in·kh·kw for each output element of a convolution, out·kh·kw for each input element of
    a transposed one, and the inner length for each output element of a matrix product.

    Args:
        name: ATen name, ``aten.conv2d.default`` or ``aten::mm``.
        shapes: shapes of the tensors that it takes, in order.
        output: shape of the result.
        transposed: whether ``convolution`` is a transposed one; other names say so.
    """
    operation = name.replace("::", ".").partition(".")[2].partition(".")[0]
    if operation.startswith("conv"):
        transposed = transposed or operation.startswith("conv_transpose")
        return math.prod(shapes[0] if transposed else output) * math.prod(shapes[1][1:])
    if operation in ("linear", "mm", "mv", "dot", "matmul", "bmm"):
        return math.prod(output) * shapes[0][-1]
    if operation in ("addmm", "baddbmm"):
        return math.prod(output) * shapes[1][-1]
    return 0
