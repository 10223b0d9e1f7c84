from __future__ import annotations

import re

import pytest

from styleexport.core import svg
from styleexport.core.svg import Axis, Linear, Style
from styleexport.runtime_bench.report import charts, number_format
from styleexport.runtime_bench.report.charts import Dot, Point, Series

PLACED = re.compile(r"translate\((-?[\d.]+) (-?[\d.]+)\)")


def dot(label: str, x: float, y: float) -> Dot:
    return Dot(label, Style(0), x, y, label)


def marks(picture: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in PLACED.findall(picture)]


def boxes(picture: str, kind: str) -> list[tuple[float, float, float]]:
    """Left and right end, and base, of the labels of a kind."""
    found = re.findall(rf'<text x="([\d.]+)" y="([\d.]+)" class="{kind}">([^<]*)', picture)
    return [(float(x), float(x) + charts.CHARACTER_WIDTH * len(t), float(y)) for x, y, t in found]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((1, 100), (1, 2, 5, 10, 20, 50, 100)),
        ((20, 24), (20, 30)),
        ((1e-6, 1e9), None),
        ((5, 5), (4, 5, 6, 7)),
    ],
)
def test_ticks_are_round_and_inside(values, ticks):
    axis = Axis.of(values, 0, 100)
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())
    if ticks:
        assert axis.ticks() == pytest.approx(ticks)
    for value in values:
        assert 0 < axis.at(value) < 100


def test_a_logarithmic_axis_keeps_factors():
    axis = Axis(1, 100, 300, 0)
    assert [axis.at(1), axis.at(10), axis.at(100)] == pytest.approx([300, 150, 0])


def test_even_ticks_are_few():
    axis = Linear.of((34.1, 70), 200, 0)
    assert axis.ticks() == pytest.approx((40, 50, 60, 70))
    assert Linear.of((5, 5), 0, 1).ticks()


def test_faster_is_lower_and_sizes_go_to_the_right():
    points = tuple(Point(i, 10.0 * 4**i, (9.0 * 4**i, 11.0 * 4**i), "t") for i in range(3))
    quick = tuple(Point(p.place, p.value / 3, None, "t") for p in points)
    series = (Series("slow", Style(0), points), Series("quick", Style(1), quick))
    placed = marks(charts.by_place(series, ["256", "512", "1024"], "ms", "label"))
    slow, fast = placed[:3], placed[3:]
    assert [x for x, _ in slow] == sorted(x for x, _ in slow)
    assert [y for _, y in slow] == sorted((y for _, y in slow), reverse=True)
    assert all(one[1] < other[1] for one, other in zip(slow, fast, strict=True))
    assert all(one[0] != other[0] for one, other in zip(slow, fast, strict=True))


def test_a_single_size_has_a_row_a_series():
    series = [
        Series(f"runner {i}", Style(i), (Point(0, i + 1, (i + 1, i + 2), ""),)) for i in range(4)
    ]
    placed = marks(charts.dots(series, "ms", "label"))
    assert [y for _, y in placed] == sorted(y for _, y in placed)
    assert [x for x, _ in placed] == sorted(x for x, _ in placed)


@pytest.mark.parametrize("places", [1, 2])
def test_an_interval_that_is_unknown_is_a_question_mark_and_no_line(places):
    def drawn(ends: tuple[float, float] | None) -> str:
        points = tuple(Point(place, 10.0, ends, "") for place in range(places))
        series = [Series("runner", Style(0), points)]
        if places == 1:
            return charts.dots(series, "ms", "label")
        return charts.by_place(series, ["256", "512"], "ms", "label")

    known, unknown = drawn((9.0, 12.0)), drawn(None)
    assert ("whisker" in known, ">?<" in known) == (True, False)
    assert ("whisker" in unknown, unknown.count(">?<")) == (False, places)


def test_unbeaten_is_what_nothing_is_both_faster_and_better_than():
    dots = [dot("a", 1, 30), dot("b", 2, 29), dot("c", 2, 40), dot("d", 9, 40), dot("e", 1, 20)]
    assert [d.label for d in charts.unbeaten(dots)] == ["a", "c"]


def test_labels_of_a_crowd_do_not_cover_each_other():
    dots = [dot(f"runner number {i}", 10 + 0.2 * i, 30 + 0.2 * i) for i in range(6)]
    found = boxes(charts.scatter(dots, "ms", "dB", "label"), "near")
    assert found
    for index, (left, right, base) in enumerate(found):
        for other_left, other_right, other_base in found[index + 1 :]:
            assert right <= other_left or other_right <= left or abs(base - other_base) >= 12


def test_a_strip_stays_inside_whatever_the_outliers():
    picture = charts.strip(((10, 11, 12), (10, 1000), (11,) * 500), Style(0), "label")
    points = re.findall(r"M([\d.]+) ([\d.]+)h0", picture)
    assert len(points) <= 5 + 2 * charts.MAX_POINTS_PER_ROUND
    assert all(0 <= float(x) <= charts.STRIP_WIDTH for x, _ in points)
    assert all(0 <= float(y) <= charts.STRIP_HEIGHT for _, y in points)


def test_a_bar_is_never_longer_than_its_place():
    assert 'width="100.0"' in charts.bar(5, 2, Style(0))
    assert 'width="0.0"' in charts.bar(-5, 2, Style(0))
    assert 'width="0.0"' in charts.bar(1, 0, Style(0))


def test_runners_differ_in_colour_and_marker_beyond_the_eighth_too():
    looks = {(Style(i).classes, Style(i).path) for i in range(20)}
    assert len(looks) == 20
    assert len({Style(i).path for i in range(8)}) == len({Style(i).classes for i in range(8)}) == 8


def test_texts_are_escaped():
    assert "<b>" not in svg.text(0, 0, "<b>")
    assert "<b>" not in svg.marker(0, 0, Style(0), "<b>")
    assert '"<b>' not in svg.figure(1, 1, '"<b>', ())


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1_234_567, "1.235 ms"),
        (45_600_000, "45.60 ms"),
        (2_340_000_000, "2340 ms"),
        (0, "0.000 ms"),
    ],
)
def test_times_have_four_digits(value, told):
    assert number_format.milliseconds(value) == told


def test_what_steers_a_terminal_is_left_out():
    assert number_format.printable("a\x1b[2J\u202eb\nc") == "a [2J b c"
    assert number_format.short("x" * 80, 10) == "x" * 9 + "…"
