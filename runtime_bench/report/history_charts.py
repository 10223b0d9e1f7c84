"""Charts of a history: the suite relative to its first report, and the cells of each panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from styleexport.core import svg
from styleexport.core.svg import Style
from styleexport.runtime_bench.report import charts
from styleexport.runtime_bench.report.charts import Point, Series
from styleexport.runtime_bench.report.history import Course, CoursePoint, History
from styleexport.runtime_bench.report.number_format import change, milliseconds
from styleexport.runtime_bench.report.series_style import FILLS

# More names along the axis would overlap.
MOST_NAMES = 6
MARGIN, KEY_HEIGHT, TITLE_HEIGHT = 14, 20, 34
WHISKERS = "<style>.whisker{stroke:currentColor;fill:none}.line{opacity:.75}</style>"


@dataclass(frozen=True)
class Chart:
    """A line chart over the reports.

    Attributes:
        title: what is drawn.
        unit: unit of the values.
        places: name of each report, "" where it is not shown.
        series: lines.
    """

    title: str
    unit: str
    places: tuple[str, ...]
    series: tuple[Series, ...]

    def picture(self) -> charts.Svg:
        """Return the chart for a page."""
        label = f"{self.title} by report; the figures are in the table below"
        return charts.by_place(self.series, self.places, self.unit, label)


def mean_chart(history: History) -> Chart | None:
    """Return the chart of the geometric mean; None where no cell is in every report."""
    if not history.means:
        return None
    points = tuple(
        Point(
            place,
            mean.ratio,
            _ends(mean.ratio, mean.low, mean.high),
            f"{label}: {change(mean.ratio - 1)}",
        )
        for place, (label, mean) in enumerate(zip(history.labels, history.means, strict=True))
    )
    title = f"Geometric mean of {history.means[0].cells} cells"
    return Chart(title, "× first", _places(history), (Series(title, Style(0), points),))


def panel_charts(history: History) -> dict[str, Chart]:
    """Return the chart of each panel: a line for each of its cells, in ms."""
    return {
        panel: Chart(
            panel,
            "ms",
            _places(history),
            tuple(
                Series(course.series, style, tuple(_point(course, p) for p in course.points))
                for course, style in zip(courses, styles_of(courses), strict=True)
            ),
        )
        for panel, courses in panels_of(history).items()
    }


def panels_of(history: History) -> Mapping[str, Sequence[Course]]:
    """Return the courses of each panel."""
    panels: dict[str, list[Course]] = {}
    for course in history.courses:
        panels.setdefault(course.panel, []).append(course)
    return panels


def styles_of(courses: Sequence[Course]) -> tuple[Style, ...]:
    """Return the style of each line of a panel: a colour of its own, the filling by precision."""
    return tuple(
        Style(index, FILLS.get(course.precision, "dotted")) for index, course in enumerate(courses)
    )


def document(history: History) -> str:
    """Return all charts below one another, as an SVG file with its own colours."""
    mean = mean_chart(history)
    drawn = ([mean] if mean else []) + list(panel_charts(history).values())
    parts, top = [WHISKERS], float(TITLE_HEIGHT)
    for chart in drawn:
        parts.append(svg.text(MARGIN, top + 14, chart.title))
        inner = "".join(charts.parts_by_place(chart.series, chart.places, chart.unit))
        parts.append(f'<g transform="translate(0 {top + KEY_HEIGHT:.1f})">{inner}</g>')
        top += KEY_HEIGHT + charts.HEIGHT
        for series in chart.series if chart is not mean else ():
            parts.append(svg.marker(MARGIN + 6, top + 10, series.style))
            parts.append(svg.text(MARGIN + 18, top + 14, series.label))
            top += KEY_HEIGHT
        top += MARGIN
    return svg.document(charts.WIDTH, top, "Latency by commit", parts)


def _places(history: History) -> tuple[str, ...]:
    """Return the label of each report; of many, the first, the last and some between them."""
    last = len(history.labels) - 1
    step = max(1, -(-last // (MOST_NAMES - 1)))
    return tuple(
        label if place == last or (place % step == 0 and last - place >= step) else ""
        for place, label in enumerate(history.labels)
    )


def _point(course: Course, point: CoursePoint) -> Point:
    middle = max(point.median_ns, 1.0) / 1e6
    low, high = (None if end is None else end / 1e6 for end in (point.low_ns, point.high_ns))
    step = next((step for step in course.steps if step.place == point.place), None)
    changed = "" if step is None else f", {change(step.latency.ratio - 1)} beyond noise"
    title = f"{course.series} at {point.label}: {milliseconds(point.median_ns)}{changed}"
    return Point(point.place, middle, _ends(middle, low, high), title)


def _ends(middle: float, low: float | None, high: float | None) -> tuple[float, float] | None:
    """Return the ends of an interval as they are drawn; None where it is unknown."""
    return None if low is None or high is None else (max(low, middle / 10), high)
