"""Other shapes, orders and parts of one tensor."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from styleexport.runtime_bench.coreml_program.op import (
    Bools,
    Ints,
    Tensors,
    operations,
)


def reshape(x: Tensor, shape: Ints) -> Tensor:
    """Return x in another shape.

    -1 stands for what is left, 0 for the side of x at the same place counted from the right, or 1
    where x has none.
    """
    offset = x.dim() - len(shape)
    sides = [
        side or (x.shape[i + offset] if i + offset >= 0 else 1) for i, side in enumerate(shape)
    ]
    return x.reshape(sides)


def reshape_like(
    x: Tensor, ref_tensors: Tensors, begins: Tensors, ends: Tensors, end_masks: Tensors
) -> Tensor:
    """Return x in the shape that parts of other tensors' shapes make, one after the other."""
    sides: list[int] = []
    for other, begin, end, mask in zip(ref_tensors, begins, ends, end_masks, strict=True):
        sides += other.shape[int(begin) : None if bool(mask) else int(end)]
    return x.reshape(sides)


def expand_dims(x: Tensor, axes: Ints) -> Tensor:
    """Return x with sides of 1 put in, at places of the result."""
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Return x without sides of 1; longer sides stay even if named."""
    return x.squeeze() if axes is None else x.squeeze(axes)


def transpose(x: Tensor, perm: Ints) -> Tensor:
    """Return x with its axes in another order."""
    return x.permute(perm)


def reverse(x: Tensor, axes: Ints | None = None) -> Tensor:
    """Return x turned round along some axes, by default all."""
    return x.flip(axes or tuple(range(x.dim())))


def reverse_sequence(x: Tensor, lengths: Ints, seq_axis: int = 0, batch_axis: int = 0) -> Tensor:
    """Return x with the first values along an axis turned round, as many as each slice says."""
    result = x.clone().movedim((batch_axis, seq_axis), (0, 1))
    for row, length in zip(result, lengths, strict=True):
        row[:length] = row[:length].flip(0)
    return result.movedim((0, 1), (batch_axis, seq_axis))


def slice_by_index(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """Return x[begin:end:stride]; masks open an end, or take one value and drop the axis."""
    turned, parts = _parts(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    return (x.flip(turned) if turned else x)[parts]


def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Tensor:
    """Return x with x[begin:end:stride] replaced."""
    turned, parts = _parts(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    result = x.flip(turned).clone()
    result[parts] = update
    return result.flip(turned)


def _parts(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None,
    begin_mask: Bools | None,
    end_mask: Bools | None,
    squeeze_mask: Bools | None,
) -> tuple[Ints, tuple[slice | int, ...]]:
    """Return the axes to turn round first, since torch takes no negative stride, and the parts."""
    never = (False,) * x.dim()
    turned: list[int] = []
    parts: list[slice | int] = []
    for axis, side in enumerate(x.shape):
        start = None if (begin_mask or never)[axis] else begin[axis]
        if (squeeze_mask or never)[axis]:
            parts.append(start or 0)
            continue
        stop = None if (end_mask or never)[axis] else end[axis]
        places = range(side)[start : stop : (stride or (1,) * x.dim())[axis]]
        first = places.start
        if places.step < 0:
            turned.append(axis)
            first = side - 1 - first
        step = abs(places.step)
        parts.append(slice(first, first + len(places) * step, step))
    return tuple(turned), tuple(parts)


def slice_by_size(x: Tensor, begin: Ints, size: Ints) -> Tensor:
    """Return as many values along each axis as the size says; -1 takes the rest."""
    for axis, (start, count) in enumerate(zip(begin, size, strict=True)):
        start %= max(1, x.shape[axis])
        x = x.narrow(axis, start, x.shape[axis] - start if count == -1 else count)
    return x


def sliding_windows(x: Tensor, axis: int, size: int, stride: int = 1) -> Tensor:
    """Return all windows along an axis, the values of each on a new axis after it."""
    axis %= x.dim()
    return x.unfold(axis, size, stride).movedim(-1, axis + 1)


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Return [N, C, H·f, W·f] of [N, C·f², H, W], the channels of one pixel together."""
    return F.pixel_shuffle(x, upscale_factor)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """Return [N, C·f², H / f, W / f] of [N, C, H, W], the channels of one pixel together."""
    return F.pixel_unshuffle(x, downscale_factor)


def depth_to_space(x: Tensor, block_size: int) -> Tensor:
    """Return [N, C, H·b, W·b] of [N, b²·C, H, W], the channels of one place in a block together."""
    n, channels, height, width = x.shape
    b = block_size
    blocks = x.reshape(n, b, b, channels // (b * b), height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, channels // (b * b), height * b, width * b)


def space_to_depth(x: Tensor, block_size: int) -> Tensor:
    """Return [N, b²·C, H / b, W / b] of [N, C, H, W], the opposite of depth_to_space."""
    n, channels, height, width = x.shape
    b = block_size
    blocks = x.reshape(n, channels, height // b, b, width // b, b).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, b * b * channels, height // b, width // b)


def space_to_batch(x: Tensor, block_shape: Ints, paddings: Tensor) -> Tensor:
    """Return the places of each block of a padded x as images of their own, [b·b'·N, C, H', W']."""
    (top, bottom), (left, right) = paddings.tolist()
    x = F.pad(x, (left, right, top, bottom))
    n, channels, height, width = x.shape
    b, c = block_shape
    blocks = x.reshape(n, channels, height // b, b, width // c, c).permute(3, 5, 0, 1, 2, 4)
    return blocks.reshape(b * c * n, channels, height // b, width // c)


def batch_to_space(x: Tensor, block_shape: Ints, crops: Tensor) -> Tensor:
    """Return images put together from the places of blocks, cropped."""
    n, channels, height, width = x.shape
    b, c = block_shape
    images = x.reshape(b, c, n // (b * c), channels, height, width).permute(2, 3, 4, 0, 5, 1)
    whole = images.reshape(n // (b * c), channels, height * b, width * c)
    (top, bottom), (left, right) = crops.tolist()
    return whole[..., top : height * b - bottom, left : width * c - right]


OPS = operations(globals())
