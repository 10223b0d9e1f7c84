"""Temporal flicker: changes between the frames of a pan that are not its motion."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from styleexport.core.arrays import Array

# Half a step of 8 bits: weaker flicker is invisible, so changes are not relative to less.
MIN_FLICKER = 0.5 / 255


def flicker(frames: Sequence[Array], step: int) -> float:
    """Return the mean absolute difference of consecutive frames after motion compensation, 0..1.

    Args:
        frames: frames of a pan in order, [1, 3, H, W] in 0..1 each.
        step: columns by which the window moves to the right per frame.
    """
    pairs = ((a[..., step:], b[..., :-step]) for a, b in pairwise(frames))
    return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))


def flicker_change(candidate: float, reference: float) -> float:
    """Return the relative change of flicker; 0.1 is 10 % more."""
    return (candidate - reference) / max(reference, MIN_FLICKER)
