"""Largest differences between two sets of pictures: worst pictures, worst regions, heat maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styleexport.core.arrays import Array
from styleexport.core.images import image_from_array
from styleexport.runtime_bench.diff.heat_map import CYAN, colour_ramp, scale_top
from styleexport.runtime_bench.quality.compare import Compared

MAX_REGIONS = 3
REGION_SIDE = 64
REGION_ZOOM = 4
# Percentile of a picture's differences at the lightest colour; larger ones look the same.
TOP_PERCENTILE = 99


@dataclass(frozen=True)
class Region:
    """A square region of one picture.

    Attributes:
        picture: index of the picture.
        top: first row.
        left: first column.
        side: side length in pixels; less where the picture is smaller.
    """

    picture: int
    top: int
    left: int
    side: int

    def cut(self, array: Array) -> Image.Image:
        """Return the region of a picture [1, 3, H, W] in 0..1, enlarged four times."""
        rows = slice(self.top, self.top + self.side)
        columns = slice(self.left, self.left + self.side)
        crop = image_from_array(np.nan_to_num(array[..., rows, columns]))
        size = (crop.width * REGION_ZOOM, crop.height * REGION_ZOOM)
        return crop.resize(size, Image.Resampling.NEAREST)


@dataclass(frozen=True)
class DifferenceScale:
    """The colour scale of difference maps.

    Attributes:
        top: difference in steps of 1/255 at the lightest colour; larger ones look the same.
    """

    top: float

    @classmethod
    def of(cls, compared: Compared) -> DifferenceScale:
        """Return the scale that suits most pictures of a comparison."""
        pairs = zip(compared.reference, compared.candidate, strict=True)
        largest = [np.percentile(_steps(a, b), TOP_PERCENTILE) for a, b in pairs]
        return cls(scale_top(float(np.median(largest))))

    @property
    def factor(self) -> float:
        """Amplification of the difference."""
        return 255 / self.top

    @property
    def caption(self) -> str:
        """Caption of the map."""
        return f"difference x{self.factor:.3g}, lightest: {self.top:g}/255 and more"

    def map(self, reference: Array, candidate: Array) -> Image.Image:
        """Return |reference - candidate| of the worst channel in colours; cyan where not finite.

        Args:
            reference: [1, 3, H, W] in 0..1.
            candidate: [1, 3, H, W] in 0..1, or NaN.
        """
        steps = _steps(reference, candidate)
        index = np.clip(steps / self.top * 255, 0, 255).round().astype(np.uint8)
        colours = colour_ramp()[index]
        colours[~np.isfinite(candidate).all(axis=(0, 1))] = CYAN
        return Image.fromarray(colours)


def _steps(reference: Array, candidate: Array) -> NDArray[np.float64]:
    """Return the largest difference of the three channels in steps of 1/255, [H, W]."""
    difference = np.abs(np.nan_to_num(candidate).astype(np.float64) - reference)
    return 255 * difference.max(axis=(0, 1))


def shown_pictures(compared: Compared, most: int | None = None) -> tuple[int, ...]:
    """Return the indices of the worst picture of each kind, worst first.

    Args:
        compared: comparison of pictures.
        most: maximum number; None is one of each kind.
    """
    rows = compared.comparison.quality.pictures
    order = sorted(range(len(rows)), key=lambda index: rows[index].psnr_db)
    worst: dict[str, int] = {}
    for index in order:
        worst.setdefault(rows[index].kind, index)
    return tuple(worst.values())[:most]


def worst_regions(compared: Compared) -> tuple[Region, ...]:
    """Return the regions of the largest squared error, one of each picture, worst first."""
    regions: list[tuple[float, Region]] = []
    pairs = zip(compared.reference, compared.candidate, strict=True)
    for index, (reference, candidate) in enumerate(pairs):
        error = np.square(np.nan_to_num(candidate).astype(np.float64) - reference).mean(axis=(0, 1))
        side = min(REGION_SIDE, *error.shape)
        sums = np.pad(error, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side]
        windows = windows + sums[:-side, :-side]
        top, left = np.unravel_index(int(windows.argmax()), windows.shape)
        regions.append((float(windows.max()), Region(index, int(top), int(left), side)))
    regions.sort(key=lambda item: -item[0])
    return tuple(region for _, region in regions[:MAX_REGIONS])
