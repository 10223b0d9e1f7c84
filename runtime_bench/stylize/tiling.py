"""Tiled stylization: overlapping tiles of a large picture, blended where they overlap.

The apps implement this for pictures larger than any file takes; the command line does not offer it.
A network with statistics over the whole picture (instance normalization, AdaIN) uses those of each
tile, so neighbouring tiles differ in contrast and colour, which blending hides only in part. Apps
tile when the user asks, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Array
from styleexport.core.errors import UsageError
from styleexport.core.types import Size


@dataclass(frozen=True)
class Tile:
    """A tile of a picture.

    Attributes:
        top: first row; negative where the picture is smaller than the tile and centred in it.
        left: first column; negative likewise.
        size: input size of the file, the same for every tile.
    """

    top: int
    left: int
    size: Size


def starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """Return the first pixel of each tile along one side; the last tile ends at the edge.

    A side shorter than a tile is centred in one, which begins before it.

    Args:
        length: length of the picture's side in pixels.
        tile: length of the tile's side in pixels.
        overlap: minimum overlap of neighbouring tiles in pixels.

    Raises:
        UsageError: the overlap is negative, or not smaller than a tile.
    """
    if not 0 <= overlap < tile:
        raise UsageError(
            f"an overlap of {overlap} does not fit tiles of {tile} pixels: expected 0 to {tile - 1}"
        )
    if length <= tile:
        return (-((tile - length) // 2),)
    step = tile - overlap
    return (*range(0, length - tile, step), length - tile)


def tiles(picture: Size, tile: Size, overlap: int) -> tuple[Tile, ...]:
    """Return the tiles that cover a picture, row by row, overlapping by ``overlap`` pixels or more.

    Raises:
        UsageError: see `starts`.
    """
    return tuple(
        Tile(top, left, tile)
        for top in starts(picture.height, tile.height, overlap)
        for left in starts(picture.width, tile.width, overlap)
    )


def weights(length: int, tile: int, overlap: int) -> tuple[Array, ...]:
    """Return the blending weights of each tile along one side, [tile] in 0..1.

    A tile's weight rises linearly over ``overlap`` pixels at an edge that it shares, is normalized
    to a sum of 1 at every pixel of the picture, and is 0 outside.

    Raises:
        UsageError: see `starts`.
    """
    begins = starts(length, tile, overlap)
    raised = [_ramp(begin, length, tile, overlap) for begin in begins]
    total = np.zeros(length)
    for begin, ramp in zip(begins, raised, strict=True):
        inside = slice(max(0, begin), min(length, begin + tile))
        total[inside] += ramp[inside.start - begin : inside.stop - begin]
    return tuple(
        (ramp / _spread(total, begin, tile)).astype(np.float32)
        for begin, ramp in zip(begins, raised, strict=True)
    )


def _ramp(begin: int, length: int, tile: int, overlap: int) -> NDArray[np.float64]:
    places = np.arange(tile)
    rising = (places + 1) / (overlap + 1) if begin > 0 else np.ones(tile)
    falling = (tile - places) / (overlap + 1) if begin + tile < length else np.ones(tile)
    ramp = np.minimum(1.0, np.minimum(rising, falling))
    return np.where((begin + places >= 0) & (begin + places < length), ramp, 0.0)


def _spread(total: NDArray[np.float64], begin: int, tile: int) -> NDArray[np.float64]:
    """Return the sums of weights under one tile; 1 outside the picture."""
    places = np.arange(begin, begin + tile)
    inside = (places >= 0) & (places < len(total))
    return np.where(inside, total[places.clip(0, len(total) - 1)], 1.0)


def paint(picture: Array, tile: Size, overlap: int, run: Callable[[Array], Array]) -> Array:
    """Return a picture stylized tile by tile, [1, 3, H, W] in 0..1.

    Args:
        picture: [1, 3, H, W] in 0..1.
        tile: input size of ``run``.
        overlap: minimum overlap of neighbouring tiles in pixels.
        run: stylizes [1, 3, tile height, tile width] in 0..1.

    Raises:
        UsageError: see `starts`; or the file enlarges its input, which tiles do not support.
    """
    size = Size(picture.shape[2], picture.shape[3])
    down = weights(size.height, tile.height, overlap)
    across = weights(size.width, tile.width, overlap)
    pairs = [np.outer(row, column) for row in down for column in across]
    joined = np.zeros_like(picture)
    for place, weight in zip(tiles(size, tile, overlap), pairs, strict=True):
        rows = _inside(place.top, size.height, tile.height)
        columns = _inside(place.left, size.width, tile.width)
        output = run(_cut(picture, place))
        if output.shape[2:] != weight.shape:
            raise UsageError("this file enlarges pictures: paint without tiles")
        painted = output * weight.astype(np.float32)
        joined[:, :, rows, columns] += painted[
            :,
            :,
            rows.start - place.top : rows.stop - place.top,
            columns.start - place.left : columns.stop - place.left,
        ]
    return joined


def _inside(begin: int, length: int, tile: int) -> slice:
    return slice(max(0, begin), min(length, begin + tile))


def _cut(picture: Array, place: Tile) -> Array:
    """Return a tile's pixels; those outside the picture mirror its edges."""
    height, width = picture.shape[2:]
    rows = mirrored(height, place.top, place.size.height)
    columns = mirrored(width, place.left, place.size.width)
    return np.ascontiguousarray(picture[:, :, rows][:, :, :, columns])


def mirrored(length: int, begin: int, count: int) -> Sequence[int]:
    """Return the pixel indices of a range, mirrored at the edges as often as needed.

    Args:
        length: length of the side in pixels.
        begin: first index, which may be negative.
        count: number of indices.
    """
    folded = np.arange(begin, begin + count) % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded).tolist()
