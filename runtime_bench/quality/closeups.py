"""Where two sets of pictures differ most: which to show, difference maps, and the worst places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styleexport.core.arrays import Array
from styleexport.core.images import image_from_array
from styleexport.runtime_bench.diff.heat_map import CYAN, colour_ramp, scale_top
from styleexport.runtime_bench.quality.compare import Compared

PLACES = 3
PLACE_SIDE = 64
PLACE_ZOOM = 4
# Of the differences of a picture; the map's lightest colour stands for the rest.
TOP_PERCENTILE = 99


@dataclass(frozen=True)
class Place:
    """A square of one picture.

    Attributes:
        picture: its index.
        top: first row.
        left: first column.
        side: in pixels, or less where the picture is smaller.
    """

    picture: int
    top: int
    left: int
    side: int

    def cut(self, array: Array) -> Image.Image:
        """Return the square of a picture [1, 3, H, W], each pixel as 4x4."""
        rows = slice(self.top, self.top + self.side)
        columns = slice(self.left, self.left + self.side)
        crop = image_from_array(np.nan_to_num(array[..., rows, columns]))
        size = (crop.width * PLACE_ZOOM, crop.height * PLACE_ZOOM)
        return crop.resize(size, Image.Resampling.NEAREST)


@dataclass(frozen=True)
class DifferenceScale:
    """How a difference becomes a colour.

    Attributes:
        top: steps of 1/255 that the lightest colour stands for; more looks the same.
    """

    top: float

    @classmethod
    def of(cls, compared: Compared) -> DifferenceScale:
        """Return the scale that fits most pictures of a comparison."""
        pairs = zip(compared.reference, compared.candidate, strict=True)
        largest = [np.percentile(_steps(a, b), TOP_PERCENTILE) for a, b in pairs]
        return cls(scale_top(float(np.median(largest))))

    @property
    def factor(self) -> float:
        """How many times the difference is amplified."""
        return 255 / self.top

    @property
    def words(self) -> str:
        """What the map shows, for a caption."""
        return f"difference x{self.factor:.3g}, lightest: {self.top:g}/255 and more"

    def map(self, reference: Array, candidate: Array) -> Image.Image:
        """Return |reference - candidate|, the worst channel, in colours; cyan is not finite."""
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
        compared: a comparison of pictures.
        most: how many; None is one of every kind.
    """
    rows = compared.comparison.quality.pictures
    order = sorted(range(len(rows)), key=lambda index: rows[index].psnr_db)
    worst: dict[str, int] = {}
    for index in order:
        worst.setdefault(rows[index].kind, index)
    return tuple(worst.values())[:most]


def worst_places(compared: Compared) -> tuple[Place, ...]:
    """Return the squares of most squared error, the worst of each picture, worst picture first."""
    found: list[tuple[float, Place]] = []
    pairs = zip(compared.reference, compared.candidate, strict=True)
    for index, (reference, candidate) in enumerate(pairs):
        error = np.square(np.nan_to_num(candidate).astype(np.float64) - reference).mean(axis=(0, 1))
        side = min(PLACE_SIDE, *error.shape)
        sums = np.pad(error, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side]
        windows = windows + sums[:-side, :-side]
        top, left = np.unravel_index(int(windows.argmax()), windows.shape)
        found.append((float(windows.max()), Place(index, int(top), int(left), side)))
    found.sort(key=lambda item: -item[0])
    return tuple(place for _, place in found[:PLACES])
