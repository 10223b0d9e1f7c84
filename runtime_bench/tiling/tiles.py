"""Tiles of a picture: where they lie, and how their statistics merge.

The apps and the browser page do the same, by the same fixtures (`tests/contract/tiles.json`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Array
from styleexport.core.errors import UsageError
from styleexport.core.tiling_fact import MapFact, StatisticFact, TilePassFact, TilingFact

Values = NDArray[np.float64]


class Sides(NamedTuple):
    """Height and width of a picture or a map, of any length."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


@dataclass(frozen=True)
class Span:
    """A tile along one side, in pixels.

    Attributes:
        start: first pixel of the window.
        begin: first pixel of the tile.
        end: pixel after the tile's last.
    """

    start: int
    begin: int
    end: int


@dataclass(frozen=True)
class Tile:
    """A tile of a picture.

    Attributes:
        rows: its rows.
        columns: its columns.
    """

    rows: Span
    columns: Span

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of the tile in its window, in pixels."""
        rows, columns = self.rows, self.columns
        return (
            rows.begin - rows.start,
            columns.begin - columns.start,
            rows.end - rows.start,
            columns.end - columns.start,
        )


def on_grid(picture: Sides, tiling: TilingFact) -> Sides:
    """Return height and width of the picture that tiles cover: on the grid, a window at least.

    What it has beyond the picture mirrors the picture's edges.
    """

    def side(length: int, window: int) -> int:
        return max(window, -(-length // tiling.grid) * tiling.grid)

    window = tiling.window
    return Sides(side(picture.height, window.height), side(picture.width, window.width))


def spans(length: int, window: int, first: int, last: int) -> tuple[Span, ...]:
    """Return the tiles along one side; each pixel lies in one of them.

    Args:
        length: length of the side, a multiple of the grid and at least a window.
        window: length of a window's side.
        first: pixels of a window before its tile, except at the start of the side.
        last: pixels of a window after its tile, except at the end of the side.

    Raises:
        UsageError: windows are all margin.
    """
    if first + last >= window and length > window:
        raise UsageError(
            f"a window of {window} pixels has no tile between margins of {first} and {last} "
            "pixels: export again with --full and a larger --size"
        )
    found: list[Span] = []
    begin = 0
    while begin < length:
        start = min(max(0, begin - first), length - window)
        end = length if start + window == length else start + window - last
        found.append(Span(start, begin, end))
        begin = end
    return tuple(found)


def tiles(sides: Sides, tiling: TilingFact, one: TilePassFact) -> tuple[Tile, ...]:
    """Return the tiles of a pass, row by row.

    Args:
        sides: height and width from `on_grid`.
        tiling: entry of the manifest.
        one: pass.

    Raises:
        UsageError: see `spans`.
    """
    rows = spans(sides[0], tiling.window.height, one.top, one.bottom)
    columns = spans(sides[1], tiling.window.width, one.left, one.right)
    return tuple(Tile(row, column) for row in rows for column in columns)


def map_sides(sides: Sides, tiling: TilingFact, fact: MapFact | StatisticFact) -> Sides:
    """Return height and width of the map of a picture; see `MapFact`."""
    window = tiling.window
    rows, columns = (
        inner + (side - outer) * fact.scale // fact.stride
        for inner, side, outer in zip(
            (fact.height, fact.width), sides, (window.height, window.width), strict=True
        )
    )
    return Sides(rows, columns)


def inner_span(span: Span, length: int, inner: int, fact: MapFact | StatisticFact) -> Span:
    """Return a tile's span in elements of a map.

    Args:
        span: span in pixels.
        length: length of the picture's side on the grid.
        inner: length of the map's side.
        fact: map.
    """
    start, begin, end = (
        pixel * fact.scale // fact.stride for pixel in (span.start, span.begin, span.end)
    )
    return Span(start, begin, inner if span.end == length else end)


def places(tile: Tile, sides: Sides, tiling: TilingFact, fact: StatisticFact) -> int:
    """Return the number of places of a statistic's map that lie in a tile."""
    size = map_sides(sides, tiling, fact)
    rows = inner_span(tile.rows, sides[0], size.height, fact)
    columns = inner_span(tile.columns, sides[1], size.width, fact)
    return (rows.end - rows.begin) * (columns.end - columns.begin)


@dataclass(frozen=True)
class Merged:
    """A statistic over some tiles.

    Attributes:
        count: number of places.
        values: [length], as tiles give them, over all these places.
    """

    count: int
    values: Values

    def with_tile(self, fact: StatisticFact, count: int, values: Array) -> Merged:
        """Return the statistic with one more tile's values, [length] or [1, length].

        Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances" (1979), equations 2.1, with M over the number of places. In float64.
        """
        new = np.asarray(values, np.float64).reshape(-1)
        if not self.count:
            return Merged(count, new)
        total = self.count + count
        share = count / total
        difference = new - self.values
        joined = self.values + difference * share
        if fact.kind == "moments":
            half = fact.length // 2
            joined[half:] += difference[:half] ** 2 * (share * (1 - share))
        return Merged(total, joined)

    def given(self, fact: StatisticFact) -> Array:
        """Return what files take: [1, length], float32; see `StatisticFact`."""
        values = self.values.copy()
        if fact.correction:
            m, n = fact.height * fact.width, self.count
            first = fact.length // 2 if fact.kind == "moments" else 0
            values[first:] *= (1 - 1 / m) / (1 - 1 / n) if n > 1 else 1.0
        return values.astype(np.float32)[None]


def empty(fact: StatisticFact) -> Merged:
    """Return a statistic of no tile."""
    return Merged(0, np.zeros(fact.length))


def stored_bytes(
    sides: Sides,
    tiling: TilingFact,
    reads: Sequence[Collection[str]],
    gives: Sequence[Collection[str]],
    kept: Collection[str] = (),
) -> int:
    """Return the most bytes that maps take at once, float32.

    Args:
        sides: height and width from `on_grid`.
        tiling: entry of the manifest.
        reads: names of the inputs of each pass.
        gives: names of the outputs of each pass.
        kept: maps that are kept after their last reader.
    """
    facts = {fact.name: fact for fact in tiling.maps}

    def size_of(name: str) -> int:
        size = map_sides(sides, tiling, facts[name])
        return 4 * facts[name].channels * size.height * size.width

    most, living = 0, set[str]()
    for number, given in enumerate(gives):
        living |= {name for name in given if name in facts}
        most = max(most, sum(map(size_of, living)))
        later = {name for names in reads[number + 1 :] for name in names}
        living = {name for name in living if name in later or name in kept}
    return most


def mirrored(length: int, begin: int, count: int) -> Sequence[int]:
    """Return the pixel indices of a range, mirrored at the edges as often as needed.

    Args:
        length: length of the side in pixels.
        begin: first index, which may be negative.
        count: number of indices.
    """
    folded = np.arange(begin, begin + count) % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded).tolist()
