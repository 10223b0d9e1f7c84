"""Pictures that are read window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from styleexport.core.arrays import Array
from styleexport.runtime_bench.tiling.tiles import Sides


class Picture(Protocol):
    """A picture that is read window by window."""

    @property
    def size(self) -> Sides:
        """Height and width."""
        ...

    def window(self, rows: Sequence[int], columns: Sequence[int]) -> Array:
        """Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1."""
        ...


@dataclass(frozen=True)
class ArrayPicture:
    """A picture in memory.

    Attributes:
        pixels: [height, width, 3], 8 bits a channel, or [1, 3, height, width] in 0..1.
    """

    pixels: np.ndarray

    @property
    def size(self) -> Sides:
        """Height and width."""
        sides = self.pixels.shape[:2] if self.pixels.dtype == np.uint8 else self.pixels.shape[2:]
        return Sides(*sides)

    def window(self, rows: Sequence[int], columns: Sequence[int]) -> Array:
        """Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1."""
        if self.pixels.dtype != np.uint8:
            return np.ascontiguousarray(self.pixels[:, :, rows][:, :, :, columns])
        part = self.pixels[np.asarray(rows)][:, np.asarray(columns)]
        return part.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
