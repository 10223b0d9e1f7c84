"""Peak signal-to-noise ratio (PSNR) in dB."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Reported for arrays that agree to the last bit, and the most that is ever reported.
EQUAL_DB = 200.0


def psnr_from_squared_error(error: float, peak: float = 1.0) -> float:
    """Return 10·log10(peak² / error) in dB, from 0 for a lost picture to 200 for an equal one.

    Args:
        error: mean squared error; NaN and infinity give 0 dB.
        peak: largest possible value of the signal.
    """
    if not math.isfinite(error):
        return 0.0
    if error == 0:
        return EQUAL_DB
    return min(EQUAL_DB, 10 * math.log10(max(peak, 1e-12) ** 2 / error))


def pooled_psnr(errors: Sequence[float]) -> float:
    """Return the PSNR in dB of the mean of several mean squared errors, each relative to peak².

    Pooling the error and not the decibels: perfect pictures do not make up for a lost one.
    """
    return psnr_from_squared_error(sum(errors) / len(errors))


def psnr_db(
    output: NDArray[np.float32], reference: NDArray[np.float32], peak: float | None = None
) -> float:
    """Return the PSNR of two arrays of one shape in dB, 0 where the output is not finite.

    Args:
        output: measured values.
        reference: expected values.
        peak: largest possible value; None takes the largest absolute value of the reference.
    """
    if not np.isfinite(output).all():
        return 0.0
    error = float(np.mean((output.astype(np.float64) - reference.astype(np.float64)) ** 2))
    top = float(np.abs(reference).max()) if peak is None else peak
    return psnr_from_squared_error(error, top)
