"""Padding for sliding windows over the last axes, shared by convolutions and poolings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

Pads = tuple[tuple[int, int], ...]


def window_pads(
    sides: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    pad_type: str,
    pad: Sequence[int] | None,
) -> Pads:
    """Return the padding before and after each axis.

    ``same`` keeps ceil(side / stride) positions, with an odd excess after the axis, ``same_lower``
    before it.

    Args:
        sides: axis lengths of the tensor.
        window: kernel extents, dilation included.
        strides: strides of the window.
        pad_type: valid, custom, same or same_lower.
        pad: before and after each axis in turn, for ``custom``.

    Raises:
        ValueError: the type is none of the four, or ``custom`` comes without numbers.
    """
    if pad_type == "valid":
        return ((0, 0),) * len(sides)
    if pad_type == "custom":
        if pad is None or len(pad) != 2 * len(sides):
            raise ValueError(f"pad is {pad}, expected {2 * len(sides)} numbers")
        return tuple((pad[2 * i], pad[2 * i + 1]) for i in range(len(sides)))
    if pad_type not in ("same", "same_lower"):
        raise ValueError(f"pad_type is {pad_type}, expected valid, custom, same or same_lower")
    pads: list[tuple[int, int]] = []
    for side, extent, stride in zip(sides, window, strides, strict=True):
        total = max(0, (math.ceil(side / stride) - 1) * stride + extent - side)
        less = total // 2
        pads.append((less, total - less) if pad_type == "same" else (total - less, less))
    return tuple(pads)


def padded(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    """Return x padded with a value along its last axes; negative pads crop."""
    if not any(side for pair in pads for side in pair):
        return x
    flat = [side for pair in reversed(pads) for side in pair]
    return F.pad(x, flat, value=value)
