"""Turning frames upright, as the display matrix of a film says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleexport.runtime_bench.film.facts import Pixels


@dataclass(frozen=True)
class Orientation:
    """How a frame is turned: swapped sides first, then mirrored.

    Attributes:
        swaps: whether rows become columns.
        flips_rows: whether it is then turned upside down.
        flips_columns: whether left and right are then exchanged.
    """

    swaps: bool = False
    flips_rows: bool = False
    flips_columns: bool = False

    @classmethod
    def of(cls, matrix: bytes | None) -> Orientation:
        """Return the orientation that is nearest to a display matrix.

        Args:
            matrix: nine 32-bit integers a, b, u, c, d, v, x, y, w, as MP4 files have them: a pixel
                at (p, q) is shown at (a·p + c·q + x, b·p + d·q + y); None for an upright film.
        """
        if matrix is None:
            return cls()
        a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32, 9).tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(flips_rows=d < 0, flips_columns=a < 0)
        return cls(swaps=True, flips_rows=b < 0, flips_columns=c < 0)

    def upright(self, pixels: Pixels) -> Pixels:
        """Return a frame as it is shown."""
        turned = pixels.swapaxes(0, 1) if self.swaps else pixels
        turned = turned[::-1] if self.flips_rows else turned
        turned = turned[:, ::-1] if self.flips_columns else turned
        return np.ascontiguousarray(turned)
