"""Decompression of constants, run once when a package is opened.

Two generations share the names: until iOS 17 indices and masks are packed bytes beside a shape,
from iOS 18 they are tensors of narrow types.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.blob import unpack
from styleexport.runtime_bench.coreml_program.op import Ints, Tensors, operations
from styleexport.runtime_bench.coreml_program.ops.quantization_ops import dequantize


def constexpr_affine_dequantize(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: int
) -> Tensor:
    """Return scale·(data - zero point), one of each for all or for each slice of an axis."""
    return dequantize(quantized_data, scale, zero_point, axis)


def constexpr_blockwise_shift_scale(
    data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Tensor:
    """Return scale·(data - offset), one of each for every block of equal sides."""
    values = data.float()
    if offset is not None:
        values = values - _repeated(offset.float(), data.shape)
    return values * _repeated(scale, data.shape)


def constexpr_cast(source_val: Tensor, output_dtype: str) -> Tensor:
    """Return stored half-precision values as float32."""
    return source_val.float()


def constexpr_lut_to_dense(
    indices: Tensor,
    lut: Tensor,
    shape: Ints | None = None,
    vector_axis: int | None = None,
) -> Tensor:
    """Return the table's values at the indices.

    Args:
        indices: packed into bytes if a shape is given, else one an element.
        lut: [values], or [groups along each axis ..., values, vector length].
        shape: shape of the result; until iOS 17.
        vector_axis: axis along which a table entry of several values lies.
    """
    if shape is not None:
        bits = int(math.log2(len(lut)))
        return lut[_unpacked(indices, bits, math.prod(shape))].reshape(shape)
    table = lut
    for axis, side in enumerate(indices.shape):
        table = table.repeat_interleave(side // lut.shape[axis], axis)
    chosen = indices.long()[..., None, None].expand(*indices.shape, 1, lut.shape[-1])
    values = table.take_along_dim(chosen, -2).squeeze(-2)
    if vector_axis is None:
        return values.squeeze(-1)
    axis = vector_axis % indices.dim()
    return values.movedim(-1, axis + 1).flatten(axis, axis + 1)


def constexpr_sparse_to_dense(
    nonzero_data: Tensor, mask: Tensor, shape: Ints | None = None
) -> Tensor:
    """Return the values where the mask is set, in order, and zeros elsewhere."""
    if shape is not None:
        mask = _unpacked(mask, 1, math.prod(shape)).reshape(shape)
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def constexpr_lut_to_sparse(
    indices_mask: Tensor,
    indices_nonzero_data: Tensor,
    lut: Tensor,
    vector_axis: int | None = None,
) -> Tensors:
    """Return the mask of the table's values and those that it keeps."""
    indices = constexpr_sparse_to_dense(indices_nonzero_data, indices_mask)
    values = constexpr_lut_to_dense(indices, lut, vector_axis=vector_axis)
    mask = indices_mask
    if vector_axis is not None:
        mask = mask.repeat_interleave(lut.shape[-1], vector_axis)
    return mask, values[mask != 0]


def constexpr_sparse_blockwise_shift_scale(
    data_mask: Tensor, nonzero_data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Tensors:
    """Return the mask and scale·(data - offset) of what it keeps."""
    data = constexpr_sparse_to_dense(nonzero_data, data_mask)
    values = constexpr_blockwise_shift_scale(data, scale, offset)
    return data_mask, values[data_mask != 0]


def _unpacked(packed: Tensor, bits: int, count: int) -> Tensor:
    raw = packed.to(torch.uint8).numpy().tobytes()
    return torch.from_numpy(unpack(raw, f"uint{bits}", count).copy()).long()


def _repeated(values: Tensor, shape: torch.Size) -> Tensor:
    for axis, side in enumerate(shape):
        values = values.repeat_interleave(side // values.shape[axis], axis)
    return values


OPS = operations(globals())
