"""Tiles of pictures and how their statistics merge, worked out by the Python reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
import numpy as np

from styleexport.core.errors import UsageError
from styleexport.core.manifest import SizeFact
from styleexport.core.tiling_fact import MapFact, StatisticFact, TilePassFact, TilingFact
from styleexport.core.types import Precision, Role
from styleexport.runtime_bench.tiling import tiles

Case = dict[str, Any]


def tile_cases() -> dict[str, list[Case]]:
    """Return every kind of arithmetic with its cases."""
    return {
        "on_grid": list(grids()),
        "spans": list(all_spans()),
        "tiles": list(regions()),
        "maps": list(maps()),
        "merged": list(merged()),
        "stored_bytes": list(bytes_of_maps()),
        "mirrored": list(mirrored()),
    }


def _tiling(
    window: tuple[int, int],
    grid: int,
    maps: tuple[MapFact, ...] = (),
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> TilingFact:
    top, bottom, left, right = margins
    return TilingFact(
        role=Role.TRANSFORM,
        target="onnx",
        precision=Precision.FP32,
        window=SizeFact(height=window[0], width=window[1]),
        grid=grid,
        passes=(TilePassFact(path="pass.onnx", top=top, bottom=bottom, left=left, right=right),),
        maps=maps,
        statistics=(),
        tiled_db=120.0,
        largest_difference=0.0,
    )


def grids() -> Iterable[Case]:
    """Height and width that tiles cover."""
    for picture, window, grid in (
        ((128, 128), (128, 128), 8),
        ((165, 125), (128, 128), 8),
        ((1, 1), (128, 96), 8),
        ((20_000, 10), (128, 128), 16),
        ((3024, 4032), (512, 512), 8),
        ((3023, 4033), (512, 256), 4),
        ((129, 127), (128, 128), 1),
    ):
        expected = tiles.on_grid(tiles.Sides(*picture), _tiling(window, grid))
        yield {"picture": picture, "window": window, "grid": grid, "expected": expected}


def all_spans() -> Iterable[Case]:
    """Start of the window, begin and end of the tile, of each; null where there is no tile."""
    for length, window, first, last in (
        (128, 128, 16, 16),
        (136, 128, 16, 16),
        (224, 128, 16, 16),
        (232, 128, 16, 16),
        (512, 128, 0, 0),
        (512, 128, 0, 8),
        (512, 128, 24, 8),
        (1000, 264, 32, 40),
        (20_000, 512, 32, 32),
        # All margin, which is no matter where one window is all there is.
        (128, 128, 64, 64),
        (136, 128, 64, 64),
    ):
        case = {"length": length, "window": window, "first": first, "last": last}
        try:
            expected = [
                [one.start, one.begin, one.end] for one in tiles.spans(length, window, first, last)
            ]
        except UsageError as error:
            yield {**case, "expected": None, "error": str(error)}
        else:
            yield {**case, "expected": expected}


def regions() -> Iterable[Case]:
    """Windows (top, left) row by row, and the regions of the tiles in them."""
    for sides, window, margins in (
        ((128, 128), (128, 128), (16, 16, 16, 16)),
        ((128, 256), (128, 128), (16, 16, 16, 16)),
        ((200, 136), (96, 64), (8, 16, 0, 24)),
        ((168, 128), (128, 128), (0, 0, 0, 0)),
    ):
        tiling = _tiling(window, 8, margins=margins)
        found = tiles.tiles(sides, tiling, tiling.passes[0])
        yield {
            "sides": sides,
            "window": window,
            "margins": margins,
            "expected": [
                {"top": one.rows.start, "left": one.columns.start, "region": one.region}
                for one in found
            ],
        }


def maps() -> Iterable[Case]:
    """Size of a map, where its tiles lie in it, and how many places each of them has.

    The map of a window is as long as window/stride, or longer (an encoder that pads), or shorter
    (one without padding); or a multiple of the window.
    """
    for sides, window, grid, (height, width, stride, scale), margins in (
        ((128, 128), (128, 128), 8, (16, 16, 8, 1), (16, 16, 16, 16)),
        ((232, 136), (128, 128), 8, (16, 16, 8, 1), (16, 16, 16, 16)),
        ((232, 136), (128, 128), 8, (128, 128, 1, 1), (16, 16, 16, 16)),
        ((232, 136), (128, 128), 8, (17, 18, 8, 1), (16, 16, 16, 16)),
        ((232, 136), (128, 128), 8, (14, 15, 8, 1), (24, 24, 24, 24)),
        ((232, 136), (128, 128), 8, (256, 256, 1, 2), (8, 16, 0, 8)),
    ):
        fact = MapFact(
            name="map_0", channels=1, height=height, width=width, stride=stride, scale=scale
        )
        statistic = StatisticFact(
            name="statistic_0",
            kind="mean",
            length=1,
            correction=0,
            height=height,
            width=width,
            stride=stride,
            scale=scale,
        )
        tiling = _tiling(window, grid, (fact,), margins)
        size = tiles.map_sides(sides, tiling, fact)
        found = tiles.tiles(sides, tiling, tiling.passes[0])
        spans = [
            (
                tiles.inner_span(one.rows, sides[0], size.height, fact),
                tiles.inner_span(one.columns, sides[1], size.width, fact),
            )
            for one in found
        ]
        places = [tiles.places(one, sides, tiling, statistic) for one in found]
        # Each place of the map lies in one tile.
        assert sum(places) == size.height * size.width
        yield {
            "sides": sides,
            "window": window,
            "margins": margins,
            "height": height,
            "width": width,
            "stride": stride,
            "scale": scale,
            "expected": {
                "sides": [size.height, size.width],
                "rows": [[row.start, row.begin, row.end] for row, _ in spans],
                "columns": [[column.start, column.begin, column.end] for _, column in spans],
                "places": places,
            },
        }


def merged() -> Iterable[Case]:
    """Statistics of tiles, and of all; with what files take.

    The last cases are 40 million places whose values are large against their spread: a sum of
    squares, or one in float32, loses all of it.
    """
    rng = np.random.default_rng(20)
    small = [(count, rng.normal(0, 1, (count, 3))) for count in (12, 8, 12, 5, 1)]
    for kind, correction in (("moments", 0), ("moments", 1), ("mean", 0), ("mean", 1)):
        yield _merged("small", kind, correction, [_of_places(kind, *one) for one in small])
    yield _merged("one place", "moments", 1, [(1, [0.5, 0.0])])
    for kind in ("moments", "mean"):
        yield _merged("40 million places", kind, 1, list(_many(rng, kind)))


def _of_places(kind: str, count: int, values: np.ndarray) -> tuple[int, list[float]]:
    mean = values.mean(0)
    both = np.concatenate([mean, ((values - mean) ** 2).mean(0)]) if kind == "moments" else mean
    # As files give them.
    return count, both.astype(np.float32).astype(float).tolist()


def _many(rng: np.random.Generator, kind: str) -> Iterable[tuple[int, list[float]]]:
    mean, deviation, side, number = 1e4, 1e-2, 448, 212
    for index in range(number):
        means = mean + rng.normal(0, deviation, 1).astype(np.float32)
        spread = np.full(1, deviation**2, np.float32)
        # Tiles at the edge are smaller.
        count = side * (side if index % 14 else 100)
        both = np.concatenate([means, spread]) if kind == "moments" else means
        yield count, [float(value) for value in both.astype(np.float32)]


def _merged(
    name: str, kind: Literal["moments", "mean"] | str, correction: int, given: list[Any]
) -> Case:
    length = len(given[0][1])
    fact = msgspec.convert(
        {
            "name": "statistic_0",
            "kind": kind,
            "length": length,
            "correction": correction,
            "height": 4,
            "width": 5,
            "stride": 1,
        },
        StatisticFact,
    )
    merged = tiles.empty(fact)
    for count, values in given:
        merged = merged.with_tile(fact, count, np.array(values, np.float32))
    return {
        "name": f"{name}, {kind}, correction {correction}",
        "kind": kind,
        "length": length,
        "correction": correction,
        "height": 4,
        "width": 5,
        "counts": [count for count, _ in given],
        "values": [values for _, values in given],
        "expected": {
            "count": merged.count,
            "values": merged.values.tolist(),
            "given": merged.given(fact)[0].astype(float).tolist(),
        },
    }


def bytes_of_maps() -> Iterable[Case]:
    """The most bytes that maps take at once."""
    facts = tuple(
        MapFact(name=name, channels=channels, height=side, width=side, stride=stride)
        for name, channels, side, stride in (
            ("map_0", 128, 16, 8),
            ("map_1", 64, 32, 4),
            ("map_2", 32, 64, 2),
            ("map_3", 16, 128, 1),
        )
    )
    reads = [["content"], ["map_0"], ["map_1", "map_0"], ["map_2"], ["map_3"]]
    gives = [["map_0", "statistic_0"], ["map_1"], ["map_2"], ["map_3"], ["image"]]
    for sides in ((128, 128), (3024, 4032), (5480, 7304)):
        for kept in ((), ("map_0",)):
            expected = tiles.stored_bytes(
                sides,
                _tiling((128, 128), 8, facts),
                [dict.fromkeys(names) for names in reads],
                [dict.fromkeys(names) for names in gives],
                frozenset(kept),
            )
            yield {
                "sides": sides,
                "maps": [msgspec.to_builtins(fact) for fact in facts],
                "reads": reads,
                "gives": gives,
                "kept": kept,
                "expected": expected,
            }


def mirrored() -> Iterable[Case]:
    """Pixels that fill a range, which may begin before a picture or end after it."""
    for length, begin, count in ((5, 0, 5), (5, 3, 6), (3, -4, 12), (1, -2, 5), (10, 8, 24)):
        yield {
            "length": length,
            "begin": begin,
            "count": count,
            "expected": list(tiles.mirrored(length, begin, count)),
        }
