"""Convolutions over one, two or three axes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from styleexport.runtime_bench.coreml_program.op import Ints, operations
from styleexport.runtime_bench.coreml_program.ops._window import padded, window_pads

FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of x [N, C, ...] with weight [C_out, C / groups, ...]."""
    ones = (1,) * (x.dim() - 2)
    strides, dilations = strides or ones, dilations or ones
    pads = window_pads(x.shape[2:], _extents(weight, dilations), strides, pad_type, pad)
    if all(before == after for before, after in pads):
        around = [before for before, _ in pads]
        return FORWARD[len(ones)](x, weight, bias, strides, around, dilations, groups)
    return FORWARD[len(ones)](padded(x, pads), weight, bias, strides, 0, dilations, groups)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Ints | None = None,
    output_shape: Ints | None = None,
    pad_type: str = "valid",
    strides: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Tensor:
    """Return the transposed convolution of x [N, C, ...] with weight [C, C_out / groups, ...].

    The full result, (side - 1)·stride + extent, is cut by the pads; an output shape says where it
    ends, and zeros follow where it is not long enough.
    """
    ones = (1,) * (x.dim() - 2)
    strides, dilations = strides or ones, dilations or ones
    full = TRANSPOSED[len(ones)](x, weight, None, strides, 0, 0, groups, dilations)
    if output_shape:
        ends = output_shape[2:]
    elif pad_type in ("same", "same_lower"):
        ends = tuple(side * stride for side, stride in zip(x.shape[2:], strides, strict=True))
    else:
        cuts = window_pads(x.shape[2:], _extents(weight, dilations), strides, pad_type, pad)
        ends = tuple(s - sum(cut) for s, cut in zip(full.shape[2:], cuts, strict=True))
    # The cut before each axis is that of the convolution this one transposes.
    starts = window_pads(ends, _extents(weight, dilations), strides, pad_type, pad)
    placed = tuple(
        (-before, end + before - side)
        for (before, _), end, side in zip(starts, ends, full.shape[2:], strict=True)
    )
    result = padded(full, placed)
    return result if bias is None else result + bias.reshape(1, -1, *ones)


def _extents(weight: Tensor, dilations: Ints) -> Ints:
    """Return the sides of the kernel, gaps counted."""
    return tuple((k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True))


OPS = operations(globals())
