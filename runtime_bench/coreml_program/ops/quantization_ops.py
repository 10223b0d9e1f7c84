"""Rounding tensors to integers and back, while the program runs."""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import STORAGE, operations


def quantize(
    input: Tensor,
    scale: Tensor,
    output_dtype: str,
    zero_point: Tensor | None = None,
    axis: int = 0,
) -> Tensor:
    """Return round(input / scale) + zero point, held within the integer type.

    Raises:
        ValueError: the type is neither int8 nor uint8.
    """
    if output_dtype not in ("int8", "uint8"):
        raise ValueError(f"output_dtype is {output_dtype}, expected int8 or uint8")
    # In place from here on: maps are large, and this one is new.
    values = (input / _along(scale, input, axis)).round_()
    if zero_point is not None:
        values += _along(zero_point, input, axis).float()
    limits = torch.iinfo(STORAGE[output_dtype])
    return values.clamp_(limits.min, limits.max).to(STORAGE[output_dtype])


def dequantize(
    input: Tensor, scale: Tensor, zero_point: Tensor | None = None, axis: int = 0
) -> Tensor:
    """Return scale·(input - zero point)."""
    values = input.float()
    if zero_point is not None:
        values = values - _along(zero_point, input, axis).float()
    return values * _along(scale, input, axis)


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """Return one value, or one a slice of an axis, shaped to be broadcast over x."""
    if values.dim() == 0:
        return values
    shape = [1] * x.dim()
    shape[axis] = -1
    return values.reshape(shape)


OPS = operations(globals())
