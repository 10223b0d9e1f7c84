"""Temporal flicker: what a pan changes besides moving."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from styleexport.core.arrays import Array
from styleexport.runtime_bench.quality.probes import PAN_STEP

# Half a step of 8 bits. Less flicker than that cannot be shown, so a change is not measured by it.
LEAST = 0.5 / 255


def flicker(frames: Sequence[Array], step: int = PAN_STEP) -> float:
    """Return the mean absolute difference of each frame, shifted back, to the one before, in 0..1.

    Args:
        frames: pictures [1, 3, H, W] of a pan, in order.
        step: columns that the window moves to the right a frame.
    """
    pairs = ((a[..., step:], b[..., :-step]) for a, b in pairwise(frames))
    return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))


def flicker_change(candidate: float, reference: float) -> float:
    """Return the relative change of flicker; 0.1 is a tenth more."""
    return (candidate - reference) / max(reference, LEAST)
