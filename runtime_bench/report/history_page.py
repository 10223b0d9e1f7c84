"""History of latency as an HTML page, or as Markdown with its charts in an SVG file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from styleexport.core.errors import UsageError
from styleexport.core.files import Product, check_replaceable, marked_product, replace_file
from styleexport.core.svg import swatch
from styleexport.runtime_bench.report import history_charts, number_format
from styleexport.runtime_bench.report.history import Course, History
from styleexport.runtime_bench.report.markdown import plain, row
from styleexport.runtime_bench.report.suite import mean_text
from styleexport.runtime_bench.report.table import Card, Table, TableCell
from styleexport.runtime_bench.report.templates import PAGE, render_template

HEADER = ("cell", "first", "last", "change", "95 % interval", "changes beyond noise")
# Named in the headline.
MOST_CHANGES = 5
MARKDOWN_MARK = "<!-- latency history of styleexport -->\n\n"
MARKDOWN = marked_product("a latency history in Markdown", MARKDOWN_MARK.encode())
SVG = marked_product("a chart of styleexport", b'">Latency by commit</text>')


def write_history(history: History, path: Path) -> tuple[Path, ...]:
    """Write a history, and return the written files: ``.md`` has its charts in a ``.svg`` beside.

    Raises:
        UsageError: the suffix is neither .html nor .md, or something else is there.
        DeviceError: a file cannot be written.
    """
    files = _files(history, path)
    for target, (_, product) in files.items():
        check_replaceable(target, product)
    for target, (text, product) in files.items():
        with replace_file(target, product) as part:
            part.write_text(text, encoding="utf-8")
    return tuple(files)


def check_history_path(path: Path) -> None:
    """Check that a history can be written to a path, before its reports are compared.

    Raises:
        UsageError: the suffix is neither .html nor .md, or something else is there.
    """
    suffix = path.suffix.lower()
    if suffix not in (".html", ".htm", ".md"):
        raise UsageError(
            f"{path} says nothing of a format: expected a suffix .html or .md; type for example "
            "-o history.html"
        )
    check_replaceable(path, MARKDOWN if suffix == ".md" else PAGE)
    if suffix == ".md":
        check_replaceable(path.with_suffix(".svg"), SVG)


def rows_of(courses: Sequence[Course]) -> list[tuple[str, ...]]:
    """Return a row of figures for each course, under `HEADER`."""
    return [(course.series, *_figures(course)) for course in courses]


def page(history: History) -> str:
    """Return the history as one self-contained HTML page."""
    mean = history_charts.mean_chart(history)
    return render_template(
        __package__ or "",
        "history.html.j2",
        title="Latency by commit",
        subtitle=_subtitle(history),
        headline=_headline(history),
        suite=[Card(mean.title, _mean_table(history), mean.picture())] if mean else [],
        panels=_cards(history),
    )


def markdown(history: History, picture: str) -> str:
    """Return the history as Markdown that shows a picture of its charts.

    Args:
        history: the history.
        picture: file name of the picture.
    """
    blocks = [plain(_subtitle(history)), "\n".join(f"- {plain(t)}" for t in _headline(history))]
    blocks.append(f"![Latency by commit](<{picture}>)")
    for panel, courses in history_charts.panels_of(history).items():
        lines = [row(panel, *HEADER[1:]), row("---", *["---:"] * 4, "---")]
        blocks.append("\n".join(lines + [row(*figures) for figures in rows_of(courses)]))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _files(history: History, path: Path) -> dict[Path, tuple[str, Product]]:
    check_history_path(path)
    if path.suffix.lower() != ".md":
        return {path: (page(history), PAGE)}
    beside = path.with_suffix(".svg")
    text = MARKDOWN_MARK + markdown(history, beside.name)
    return {beside: (history_charts.document(history), SVG), path: (text, MARKDOWN)}


def _subtitle(history: History) -> str:
    first, last = history.created[0][:10], history.created[-1][:10]
    return (
        f"{len(history.labels)} reports, {first} to {last}, {history.labels[0]} to "
        f"{history.labels[-1]}; medians with 95 % intervals"
    )


def _headline(history: History) -> tuple[str, ...]:
    lines: list[str] = []
    changed: list[str] = []
    if history.means:
        lines.append(f"Since the first report, geometric mean of {mean_text(history.means[-1])}.")
    newest = len(history.labels) - 1
    for course in history.courses:
        for step in course.steps:
            if step.place == newest:
                ratio = number_format.change(step.latency.ratio - 1)
                changed.append(
                    f"{step.label}: {course.panel} {course.series} {ratio} beyond noise."
                )
    if len(changed) > MOST_CHANGES:
        more = f"{len(changed) - MOST_CHANGES} more cells changed beyond noise."
        changed[MOST_CHANGES:] = [more]
    return (*lines, *changed)


def _cards(history: History) -> list[Card]:
    charts = history_charts.panel_charts(history)
    cards: list[Card] = []
    for panel, courses in history_charts.panels_of(history).items():
        styles = history_charts.styles_of(courses)
        rows = tuple(
            (TableCell(figures[0], swatch=Markup(swatch(style))), *figures[1:])
            for figures, style in zip(rows_of(courses), styles, strict=True)
        )
        cards.append(Card(panel, Table(HEADER, rows), charts[panel].picture()))
    return cards


def _mean_table(history: History) -> Table:
    rows = tuple(
        (label, number_format.change(mean.ratio - 1), _interval(mean.low, mean.high))
        for label, mean in zip(history.labels, history.means, strict=True)
    )
    return Table(("report", "since the first", "95 % interval"), rows)


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return number_format.UNKNOWN_INTERVAL
    return f"{number_format.change(low - 1)} to {number_format.change(high - 1)}"


def _figures(course: Course) -> tuple[str, ...]:
    first, last = course.points[0], course.points[-1]
    medians = [number_format.milliseconds(point.median_ns) for point in (first, last)]
    change = course.change
    if change is None:
        return (*medians, "-", "-", "-")
    enough = not change.too_few
    interval = _interval(change.low if enough else None, change.high if enough else None)
    steps = [f"{number_format.change(s.latency.ratio - 1)} at {s.label}" for s in course.steps]
    return (*medians, number_format.change(change.ratio - 1), interval, ", ".join(steps) or "-")
