"""Rounding to float16 of arrays that stay float32, as arithmetic in half precision rounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from styleexport.core.float16 import SMALLEST_NORMAL

# What float16 rounds to infinity.
INFINITE = 65520.0
# Bits of a float32 that a float16 lacks.
DROPPED = 13


def to_half(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values rounded to float16, what is no normal number flushed to zero.

    OpenCL and Metal leave open whether smaller values are kept; half the GPUs flush them.
    """
    rounded = round_sums(np.array(value, np.float32))
    np.copyto(rounded, 0.0, where=np.abs(rounded) < SMALLEST_NORMAL)
    return rounded


def round_sums(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round values to the 11 significant bits of a float16, in place, half to even.

    What is too large becomes infinite. Five times as fast as to convert to float16 and back.
    """
    too_large = not bool(_largest(value) < INFINITE)
    if too_large:
        np.copyto(value, np.copysign(np.float32(np.inf), value), where=np.abs(value) >= INFINITE)
    bits = value.view(np.uint32)
    odd = (bits >> np.uint32(DROPPED)) & np.uint32(1)
    # Infinities and what is no number have all exponent bits set, and no bit to round.
    if too_large:
        kept = np.isfinite(value)
        odd += np.uint32((1 << (DROPPED - 1)) - 1)
        np.add(bits, odd, out=bits, where=kept)
        np.bitwise_and(bits, np.uint32(0xFFFFFFFF << DROPPED & 0xFFFFFFFF), out=bits, where=kept)
        return value
    odd += np.uint32((1 << (DROPPED - 1)) - 1)
    bits += odd
    bits &= np.uint32(0xFFFFFFFF << DROPPED & 0xFFFFFFFF)
    return value


def _largest(value: NDArray[np.float32]) -> float:
    return float(max(value.max(initial=0.0), -value.min(initial=0.0)))
