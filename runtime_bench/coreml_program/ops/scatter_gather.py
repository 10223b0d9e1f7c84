"""Reading and writing at indices; negative ones count from the end."""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import operations

REDUCE = {"mul": "prod", "div": "prod", "max": "amax", "min": "amin"}


def gather(
    x: Tensor,
    indices: Tensor,
    axis: int = 0,
    batch_dims: int = 0,
    validate_indices: bool = False,
) -> Tensor:
    """Return the slices of x at indices along an axis, the first axes taken pair by pair."""
    axis %= x.dim()
    if batch_dims:
        rows = [
            gather(*pair, axis=axis - 1, batch_dims=batch_dims - 1)
            for pair in zip(x, indices, strict=True)
        ]
        return torch.stack(rows)
    flat = x.index_select(axis, _from_start(indices, x.shape[axis]).flatten())
    return flat.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def gather_along_axis(
    x: Tensor, indices: Tensor, axis: int = 0, validate_indices: bool = False
) -> Tensor:
    """Return, at each place, the value of x whose index along the axis is given there."""
    return torch.take_along_dim(x, _from_start(indices, x.shape[axis]), axis)


def gather_nd(
    x: Tensor, indices: Tensor, batch_dims: int = 0, validate_indices: bool = False
) -> Tensor:
    """Return the slices of x at index tuples, which lie along the last axis of the indices."""
    if batch_dims:
        rows = [
            gather_nd(*pair, batch_dims=batch_dims - 1) for pair in zip(x, indices, strict=True)
        ]
        return torch.stack(rows)
    return x[tuple(indices.long().unbind(-1))]


def scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "update",
    validate_indices: bool = False,
) -> Tensor:
    """Return data with slices along an axis replaced by, or combined with, updates."""
    axis %= data.dim()
    shape = [1] * updates.dim()
    shape[axis] = -1
    index = indices.reshape(shape).expand(updates.shape)
    return scatter_along_axis(data, index, updates, axis, mode)


def scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    """Return data with values replaced by, or combined with, updates along an axis.

    Raises:
        ValueError: the mode is none of MIL's seven.
    """
    index = _from_start(indices, data.shape[axis])
    if mode == "update":
        return data.scatter(axis, index, updates)
    if mode in ("add", "sub"):
        return data.scatter_add(axis, index, updates if mode == "add" else -updates)
    if mode not in REDUCE:
        raise ValueError(f"mode is {mode}, expected update, add, sub, mul, div, max or min")
    values = 1 / updates if mode == "div" else updates
    return data.scatter_reduce(axis, index, values, REDUCE[mode])


def scatter_nd(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    mode: str = "add",
    validate_indices: bool = False,
) -> Tensor:
    """Return data with slices at index tuples replaced by, or combined with, updates."""
    depth = indices.shape[-1]
    places = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for axis, column in enumerate(indices.long().unbind(-1)):
        places = places * data.shape[axis] + _from_start(column, data.shape[axis])
    rows = data.reshape(-1, *data.shape[depth:])
    flat = updates.reshape(-1, *data.shape[depth:])
    return scatter(rows, places.flatten(), flat, 0, mode).reshape(data.shape)


def _from_start(indices: Tensor, side: int) -> Tensor:
    index = indices.long()
    return torch.where(index < 0, index + side, index)


OPS = operations(globals())
