"""Flicker: changes from one frame to the next that are not its motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Array

# 3x3, from pixel centres (x, y, 1) to pixel centres.
Matrix = NDArray[np.float64]
# Half a step of 8 bits: weaker flicker is invisible, so changes are not relative to less.
MIN_FLICKER = 0.5 / 255


def warping_error(
    before: Array,
    after: Array,
    step: Matrix,
    scale: int = 1,
    where: NDArray[np.bool_] | None = None,
) -> float:
    """Return the mean absolute difference of a frame and the one before it, moved to its place.

    Only pixels that both frames show count. Pixels between others are interpolated bicubically.

    Args:
        before: frame, [1, 3, H, W] in 0..1.
        after: frame after it.
        step: where pixels of ``after`` lie in ``before``, in pixels of the clip.
        scale: how many times the frames are as large as those of the clip.
        where: pixels of the clip that count, [H, W]; None for all.

    Raises:
        ValueError: the frames show nothing in common.
    """
    grown = translation(-0.5, -0.5) @ np.diag([scale, scale, 1.0]) @ translation(0.5, 0.5)
    moved, inside = warped(before, grown @ step @ np.linalg.inv(grown))
    if where is not None:
        inside &= where.repeat(scale, 0).repeat(scale, 1)
    if not inside.any():
        raise ValueError("the frames show nothing in common")
    return float(np.abs(moved - after)[:, :, inside].mean())


def warped(before: Array, step: Matrix) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a frame moved to the place of the one after it, and where it shows something, [H, W].

    Args:
        before: frame, [1, 3, H, W].
        step: where pixels of the frame after it lie in it.
    """
    import torch  # budgets are read without it

    height, width = before.shape[2:]
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = (row[0] * columns + row[1] * rows + row[2] for row in step[:2])
    slack = 1e-6
    inside = (x >= -slack) & (x <= width - 1 + slack) & (y >= -slack) & (y <= height - 1 + slack)
    places = np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)[None]
    moved = torch.nn.functional.grid_sample(
        torch.from_numpy(before.astype(np.float64)),
        torch.from_numpy(places),
        mode="bicubic",
        padding_mode="border",
        align_corners=False,
    )
    return moved.numpy(), inside


def translation(x: float, y: float) -> Matrix:
    """Return the motion by x columns to the right and y rows down."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def flicker_change(candidate: float, reference: float) -> float:
    """Return the relative change of flicker; 0.1 is 10 % more."""
    return (candidate - reference) / max(reference, MIN_FLICKER)
