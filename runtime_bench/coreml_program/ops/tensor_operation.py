"""Building, joining, padding and sorting tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import Ints, Tensors, operations
from styleexport.runtime_bench.coreml_program.ops._window import padded


def identity(x: Tensor) -> Tensor:
    """Return x."""
    return x


def concat(values: Tensors, axis: int, interleave: bool = False) -> Tensor:
    """Return tensors joined along an axis, one after the other or slice by slice in turn.

    Scalars join into a vector, as MIL has it.
    """
    parts = [value.reshape(1) if value.dim() == 0 else value for value in values]
    if not interleave:
        return torch.cat(parts, axis)
    axis %= parts[0].dim()
    return torch.stack(parts, axis + 1).flatten(axis, axis + 1)


def stack(values: Tensors, axis: int) -> Tensor:
    """Return tensors joined along a new axis."""
    return torch.stack(values, axis)


def split(
    x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None
) -> Tensors:
    """Return pieces of x along an axis, of given lengths or equally long."""
    sizes = split_sizes or (x.shape[axis] // (num_splits or 1),) * (num_splits or 1)
    return torch.split(x, list(sizes), axis)


def pad(x: Tensor, pad: Ints, mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """Return x with values put before and after its last axes.

    Raises:
        ValueError: the mode is none of constant, reflect and replicate, or a reflection is longer
            than what it reflects.
    """
    pads = tuple((pad[i], pad[i + 1]) for i in range(0, len(pad), 2))
    if mode == "constant":
        return padded(x, pads, constant_val)
    for axis, (before, after) in zip(range(-len(pads), 0), pads, strict=True):
        if before or after:
            x = x.index_select(axis, _mirror(x.shape[axis], before, after, mode))
    return x


def _mirror(side: int, before: int, after: int, mode: str) -> Tensor:
    index = torch.arange(-before, side + after)
    if mode == "replicate":
        return index.clamp(0, side - 1)
    if mode != "reflect":
        raise ValueError(f"mode is {mode}, expected constant, reflect or replicate")
    if max(before, after) >= side:
        raise ValueError(f"reflects {max(before, after)} of {side} values, at most {side - 1}")
    return side - 1 - (side - 1 - index.abs()).abs()


def tile(x: Tensor, reps: Ints) -> Tensor:
    """Return x repeated along each axis."""
    return x.repeat(*reps)


def fill(shape: Ints, value: Tensor | None = None) -> Tensor:
    """Return a tensor of one value, by default 0."""
    return (torch.zeros(()) if value is None else value.reshape(())).expand(shape).clone()


def fill_like(ref_tensor: Tensor, value: Tensor | None = None) -> Tensor:
    """Return a tensor of one value with the shape of another."""
    return fill(tuple(ref_tensor.shape), value)


def shape(x: Tensor) -> Tensor:
    """Return the sides of x."""
    return torch.tensor(x.shape, dtype=torch.int32)


def flatten2d(x: Tensor, axis: int = 1) -> Tensor:
    """Return x as a matrix, the axes before one in its rows and the others in its columns."""
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def range_1d(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Return start, start + step, and so on, all before the end."""
    count = max(0, math.ceil((end.item() - start.item()) / step.item()))
    return start + step * torch.arange(count)


def cumsum(x: Tensor, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Return running sums along an axis, from its end if reversed.

    Exclusive sums leave out the value at their own place.
    """
    turned = x.flip(axis) if reverse else x
    sums = turned.cumsum(axis)
    sums = sums - turned if exclusive else sums
    return sums.flip(axis) if reverse else sums


def band_part(x: Tensor, lower: int = -1, upper: int = -1) -> Tensor:
    """Return x with zeros outside a band around the diagonal; -1 keeps a whole triangle."""
    rows = torch.arange(x.shape[-2])[:, None]
    columns = torch.arange(x.shape[-1])
    below = (rows - columns <= lower) | torch.tensor(lower < 0)
    above = (columns - rows <= upper) | torch.tensor(upper < 0)
    return torch.where(below & above, x, torch.zeros_like(x))


def one_hot(
    indices: Tensor,
    one_hot_vector_size: int,
    axis: int = -1,
    on_value: Tensor | None = None,
    off_value: Tensor | None = None,
) -> Tensor:
    """Return one value where a place along a new axis is the index, another elsewhere."""
    on = torch.tensor(1) if on_value is None else on_value
    off = torch.tensor(0) if off_value is None else off_value
    places = indices[..., None] == torch.arange(one_hot_vector_size)
    return torch.where(places, on, off).movedim(-1, axis)


def non_zero(x: Tensor) -> Tensor:
    """Return the indices of all values that are not 0, one a row."""
    return torch.nonzero(x)


def argsort(x: Tensor, axis: int = -1, ascending: bool = False) -> Tensor:
    """Return the order that sorts x along an axis."""
    return torch.argsort(x, dim=axis, descending=not ascending, stable=True)


def topk(
    x: Tensor,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> Tensors:
    """Return the largest values along an axis, or the smallest if ascending, and their indices."""
    count = x.shape[axis] if k == -1 else k
    values, indices = torch.topk(x, count, axis, largest=not ascending, sorted=sort)
    return (values, indices) if return_indices else (values,)


OPS = operations(globals())
