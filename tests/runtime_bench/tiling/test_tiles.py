"""Tiles of a picture, and their statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from styleexport.core.errors import UsageError
from styleexport.core.fact_types import SizeFact
from styleexport.core.tiling_fact import StatisticFact, TilePassFact, TilingFact
from styleexport.core.types import Precision, Role
from styleexport.runtime_bench.tiling.tiles import (
    Sides,
    Span,
    empty,
    map_sides,
    mirrored,
    on_grid,
    places,
    spans,
    tiles,
)


def statistic(**changes) -> StatisticFact:
    facts = {"name": "s", "kind": "moments", "length": 2, "correction": 0, "height": 16}
    return StatisticFact(**{**facts, "width": 24, "stride": 4, **changes})


TILING = TilingFact(
    role=Role.STYLIZE,
    target="onnx",
    precision=Precision.FP32,
    window=SizeFact(height=64, width=96),
    grid=8,
    passes=(TilePassFact(path="a", top=8, bottom=16, left=0, right=8),),
    maps=(),
    statistics=(statistic(),),
    tiled_db=0.0,
    largest_difference=0.0,
)


@pytest.mark.parametrize(
    ("picture", "sides"),
    [
        (Sides(64, 96), (64, 96)),
        (Sides(65, 97), (72, 104)),
        (Sides(1, 1), (64, 96)),
        (Sides(10, 16_000), (64, 16_000)),
        (Sides(63, 95), (64, 96)),
        (Sides(10, 20_000), (64, 20_000)),
    ],
)
def test_a_picture_on_the_grid_is_a_window_at_least(picture, sides):
    assert on_grid(picture, TILING) == sides


def test_tiles_end_where_the_next_begin():
    assert spans(200, 64, 8, 16) == (
        Span(0, 0, 48),
        Span(40, 48, 88),
        Span(80, 88, 128),
        Span(120, 128, 168),
        Span(136, 168, 200),
    )


@pytest.mark.parametrize("length", [64, 72, 80, 200, 1000, 20_000])
@pytest.mark.parametrize("margins", [(0, 0), (8, 16), (24, 0), (0, 40)])
def test_every_pixel_lies_in_one_tile_inside_its_margins(length, margins):
    found = spans(length, 64, *margins)
    assert [span.begin for span in found] == [0, *(span.end for span in found[:-1])]
    assert found[-1].end == length
    for span in found:
        assert 0 <= span.start <= length - 64
        assert span.start % 8 == 0
        assert span.begin - span.start >= margins[0] or span.start == 0
        assert span.start + 64 - span.end >= margins[1] or span.end == length


def test_a_window_of_margins_alone_is_refused():
    with pytest.raises(UsageError) as caught:
        spans(128, 64, 32, 32)
    assert "a larger --size" in str(caught.value)
    assert spans(64, 64, 32, 32) == (Span(0, 0, 64),)


def test_places_of_all_tiles_are_those_of_the_map():
    sides = on_grid(Sides(201, 333), TILING)
    fact = statistic(height=18, width=22)  # two rows more, two columns fewer
    size = map_sides(sides, TILING, fact)
    assert size == Sides(sides[0] // 4 + 2, sides[1] // 4 - 2)
    every = tiles(sides, TILING, TILING.passes[0])
    assert sum(places(t, sides, TILING, fact) for t in every) == size.height * size.width


def test_moments_keep_their_digits_over_many_places():
    rng = np.random.default_rng(0)
    parts = [rng.normal(1e4 + n * 1e-3, 1e-2, (40_000, 1)) for n in range(50)]
    fact, merged = statistic(correction=1), empty(statistic())
    for part in parts:
        moments = np.concatenate([part.mean(0), part.var(0)])
        merged = merged.with_tile(fact, len(part), moments.astype(np.float64))
    whole = np.concatenate(parts)
    assert merged.count == len(whole)
    np.testing.assert_allclose(merged.values, [whole.mean(), whole.var()], rtol=1e-9)
    m, n = 16 * 24, len(whole)
    given = whole.var() * (1 - 1 / m) / (1 - 1 / n)
    np.testing.assert_allclose(merged.given(fact)[0, 1], given, rtol=1e-6)


def test_means_merge_by_their_places():
    fact, merged = statistic(kind="mean"), empty(statistic())
    for count, value in ((1, 4.0), (3, 8.0)):
        merged = merged.with_tile(fact, count, np.array([[value, -value]], np.float32))
    np.testing.assert_allclose(merged.given(fact), [[7.0, -7.0]])


def test_order_of_tiles_does_not_matter():
    rng = np.random.default_rng(1)
    parts = [(int(n), rng.normal(size=2) ** 2) for n in rng.integers(1, 50, 4)]
    fact, results = statistic(), []
    for order in itertools.permutations(parts):
        merged = empty(fact)
        for count, values in order:
            merged = merged.with_tile(fact, count, values)
        results.append(merged.values)
    np.testing.assert_allclose(results, [results[0]] * len(results), rtol=1e-12)


def test_edges_are_mirrored_as_often_as_needed():
    assert mirrored(3, 0, 10) == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2]
    assert mirrored(1, 0, 4) == [0, 0, 0, 0]
