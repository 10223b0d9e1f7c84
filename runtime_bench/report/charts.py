"""Charts of the page: latency by size, quality by latency, samples by round, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from styleexport.core import svg
from styleexport.core.svg import Axis, Linear, Style

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 24, 28
ROW_HEIGHT = 26
STRIP_WIDTH, STRIP_HEIGHT = 200, 44
MAX_POINTS_PER_ROUND = 40
UNKNOWN = "?"
# Width of a character in pixels, on average; the style sheet enlarges them on phones.
CHARACTER_WIDTH = 6.3
PHONE_CHARACTER_WIDTH = 7.4

Svg = Markup


@dataclass(frozen=True)
class Point:
    """A value with its interval.

    Attributes:
        place: index of the place on the horizontal axis.
        value: value on the vertical axis, positive.
        ends: lower and upper end of the interval; None where it is unknown.
        title: tooltip.
    """

    place: int
    value: float
    ends: tuple[float, float] | None
    title: str

    @property
    def extent(self) -> tuple[float, ...]:
        """Values that the axis has to hold."""
        return self.ends or (self.value,)


@dataclass(frozen=True)
class Series:
    """Points of one line.

    Attributes:
        label: name of the series.
        style: colour, marker and fill.
        points: points in the order of the places.
    """

    label: str
    style: Style
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot: less of x and more of y is better.

    Attributes:
        label: name beside the marker.
        style: colour, marker and fill.
        x: value on the horizontal axis, positive.
        y: value on the vertical axis.
        title: tooltip.
    """

    label: str
    style: Style
    x: float
    y: float
    title: str


def by_place(series: Sequence[Series], places: Sequence[str], unit: str, label: str) -> Svg:
    """Return a line chart over named places with intervals; the value axis is logarithmic.

    A question mark stands in the place of an interval that is unknown.

    Args:
        series: lines to draw.
        places: names along the horizontal axis.
        unit: unit of the values.
        label: text alternative for screen readers.
    """
    return Markup(svg.figure(WIDTH, HEIGHT, label, parts_by_place(series, places, unit)))


def parts_by_place(series: Sequence[Series], places: Sequence[str], unit: str) -> list[str]:
    """Return the elements of the chart that `by_place` draws."""
    extents = [value for item in series for point in item.points for value in point.extent]
    axis = Axis.of(extents, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / len(places)
    spread = min(7.0, 0.5 * step / len(series))
    parts = _grid(axis, unit)
    for place, name in enumerate(places):
        x = LEFT + (place + 0.5) * step
        parts.append(svg.text(x, HEIGHT - BOTTOM + 18, name, anchor="middle"))
    for index, item in enumerate(series):
        shift = LEFT + 0.5 * step + (index - (len(series) - 1) / 2) * spread
        where = [(shift + point.place * step, axis.at(point.value)) for point in item.points]
        if len(where) > 1:
            parts.append(svg.polyline(where, f"line {item.style.classes}"))
        for point, (x, y) in zip(item.points, where, strict=True):
            if point.ends is None:
                parts.append(svg.text(x, y - 8, UNKNOWN, "near", "middle"))
            else:
                parts.append(
                    _whisker(x, axis.at(point.ends[0]), axis.at(point.ends[1]), item.style)
                )
            parts.append(svg.marker(x, y, item.style, point.title))
    return parts


def dots(series: Sequence[Series], unit: str, label: str) -> Svg:
    """Return one row per series: its first value with its interval on a logarithmic axis."""
    points = [item.points[0] for item in series]
    left = 24 + PHONE_CHARACTER_WIDTH * max(len(item.label) for item in series)
    left = min(left, 0.55 * WIDTH)
    axis = Axis.of([value for point in points for value in point.extent], left, WIDTH - RIGHT)
    height = TOP + ROW_HEIGHT * len(series) + 2 * BOTTOM
    parts: list[str] = []
    for value in axis.ticks(5):
        x = axis.at(value)
        parts.append(svg.line(x, TOP, x, height - 2 * BOTTOM, "grid"))
        parts.append(svg.text(x, height - 2 * BOTTOM + 18, f"{value:g}", anchor="middle"))
    parts.append(svg.text(WIDTH - RIGHT, height - 6, unit, "unit", "end"))
    for index, (item, point) in enumerate(zip(series, points, strict=True)):
        y = TOP + ROW_HEIGHT * (index + 0.5)
        name = _fitting(item.label, left - 20)
        parts.append(svg.text(left - 12, y + 4, name, anchor="end"))
        parts += _row_interval(axis, point, y, item.style)
        parts.append(svg.marker(axis.at(point.value), y, item.style, point.title))
    return Markup(svg.figure(WIDTH, height, label, parts))


def scatter(dots: Sequence[Dot], x_unit: str, y_unit: str, label: str) -> Svg:
    """Return a scatter plot with a logarithmic time axis and its Pareto front."""
    across = Axis.of([dot.x for dot in dots], LEFT, WIDTH - RIGHT)
    upwards = Linear.of([dot.y for dot in dots], HEIGHT - BOTTOM, TOP)
    parts = _grid(upwards, y_unit)
    for value in across.ticks(6):
        x = across.at(value)
        parts.append(svg.line(x, TOP, x, HEIGHT - BOTTOM, "grid"))
        parts.append(svg.text(x, HEIGHT - BOTTOM + 18, f"{value:g}", anchor="middle"))
    parts.append(svg.text(WIDTH - RIGHT, HEIGHT - BOTTOM - 5, x_unit, "unit", "end"))
    best = unbeaten(dots)
    where = [(across.at(dot.x), upwards.at(dot.y)) for dot in best]
    if len(where) > 1:
        steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in where[1:])
        parts.append(f'<path class="front" d="M{where[0][0]:.1f} {where[0][1]:.1f}{steps}"/>')
    every = [(across.at(dot.x), upwards.at(dot.y)) for dot in dots]
    parts += [svg.marker(x, y, d.style, d.title) for (x, y), d in zip(every, dots, strict=True)]
    parts += _labels([(x, y, dot.label) for (x, y), dot in zip(where, best, strict=True)], every)
    return Markup(svg.figure(WIDTH, HEIGHT, label, parts))


def unbeaten(dots: Sequence[Dot]) -> tuple[Dot, ...]:
    """Return the Pareto front, fastest first: dots that no other beats in both x and y."""
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (dot.x, -dot.y)):
        if not front or dot.y > front[-1].y:
            front.append(dot)
    return tuple(front)


def strip(rounds: Sequence[Sequence[int]], style: Style, label: str) -> Svg:
    """Return the samples of each round as points, from the minimum to the 99th percentile."""
    ordered = sorted(sample for samples in rounds for sample in samples)
    low, high = ordered[0], ordered[int(0.99 * (len(ordered) - 1))]
    reach = max(high - low, 1)
    step = STRIP_WIDTH / len(rounds)
    parts = [svg.line(0, STRIP_HEIGHT - 0.5, STRIP_WIDTH, STRIP_HEIGHT - 0.5, "grid")]
    points: list[str] = []
    for index, samples in enumerate(rounds):
        shown = samples[:: max(1, len(samples) // MAX_POINTS_PER_ROUND)]
        for turn, sample in enumerate(shown):
            x = step * (index + 0.1 + 0.8 * (turn + 0.5) / len(shown))
            y = 4 + (STRIP_HEIGHT - 8) * (1 - min(1.0, (sample - low) / reach))
            points.append(f"M{x:.1f} {y:.1f}h0")
        if index:
            parts.append(svg.line(step * index, 0, step * index, STRIP_HEIGHT, "grid"))
    parts.append(f'<path class="points {style.classes}" d="{"".join(points)}"/>')
    return Markup(svg.figure(STRIP_WIDTH, STRIP_HEIGHT, label, parts))


def bar(
    value: float,
    full: float,
    style: Style,
    ends: tuple[float, float] | None = None,
    mark: float | None = None,
) -> Svg:
    """Return a bar below a figure; hidden from screen readers, which read the figure.

    Args:
        value: length of the bar.
        full: length of a full bar.
        style: colour of the bar.
        ends: ends of the interval.
        mark: value at which to draw a line.
    """
    width = 100 * min(1.0, max(0.0, value / full)) if full > 0 else 0.0
    parts = [f'<rect class="bar {style.classes}" x="0" y="2" width="{width:.1f}" height="8"/>']
    if ends is not None and full > 0:
        low, high = (100 * min(1.0, end / full) for end in ends)
        parts.append(svg.line(low, 6, high, 6, "whisker"))
    if mark is not None and full > 0:
        where = 100 * mark / full
        parts.append(svg.line(where, 0, where, 12, "at"))
    return Markup(
        '<svg class="inline" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def _grid(axis: Axis | Linear, unit: str) -> list[str]:
    parts: list[str] = []
    for value in axis.ticks():
        y = axis.at(value)
        parts.append(svg.line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(svg.text(LEFT - 8, y + 4, f"{value:g}", anchor="end"))
    parts.append(svg.text(LEFT - 8, 12, unit, "unit", "end"))
    return parts


def _whisker(x: float, low: float, high: float, style: Style) -> str:
    kind = f"whisker {style.classes}"
    caps = "".join(svg.line(x - 3, y, x + 3, y, kind) for y in (low, high))
    return svg.line(x, low, x, high, kind) + caps


def _row_interval(axis: Axis, point: Point, y: float, style: Style) -> list[str]:
    if point.ends is None:
        return [svg.text(axis.at(point.value) + 8, y + 4, UNKNOWN, "near")]
    low, high = map(axis.at, point.ends)
    kind = f"whisker {style.classes}"
    caps = [svg.line(x, y - 3, x, y + 3, kind) for x in (low, high)]
    return [svg.line(low, y, high, y, kind), *caps]


def _fitting(label: str, width: float) -> str:
    most = int(width / PHONE_CHARACTER_WIDTH)
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _labels(
    points: Sequence[tuple[float, float, str]], marks: Sequence[tuple[float, float]]
) -> list[str]:
    """Return labels beside points, where they cover no other label and no marker."""
    occupied = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    parts: list[str] = []
    for x, y, label in points:
        width = CHARACTER_WIDTH * len(label)
        for left, base in (
            (x + 7, y - 7),
            (x - 7 - width, y - 7),
            (x - width / 2, y - 11),
            (x + 7, y + 15),
            (x - 7 - width, y + 15),
            (x - width / 2, y + 20),
            (x + 9, y + 4),
            (x - 9 - width, y + 4),
        ):
            box = (left, base - 10, left + width, base + 3)
            inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] < HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in occupied):
                occupied.append(box)
                parts.append(svg.text(left, base, label, "near"))
                break
    return parts


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
