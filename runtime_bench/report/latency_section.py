"""Cards of latency by size, speed-up over fp32, and quality against latency."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.report import charts, number_format
from styleexport.runtime_bench.report.charts import Dot, Point, Series
from styleexport.runtime_bench.report.groups import Entry, Panel
from styleexport.runtime_bench.report.series_style import SeriesStyles
from styleexport.runtime_bench.report.summary import fastest
from styleexport.runtime_bench.report.table import Card, Table, TableCell
from styleexport.runtime_bench.stats import LatencyComparison, compare

# Larger differences are invisible in 8-bit pictures.
MAX_DB = 70.0


def latency_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of latency by size and runner for each panel."""
    return tuple(
        Card(
            panel.full_title,
            _latency_table(panel, styles),
            _latency_chart(panel, styles),
            row=panel.row,
        )
        for panel in panels
        if panel.measured
    )


def speedup_cards(
    panels: Sequence[Panel], styles: SeriesStyles, base: str | None
) -> tuple[Card, ...]:
    """Return a card of speed-ups over an fp32 file for each panel that has one.

    Args:
        panels: panels of the page.
        styles: styles of the series.
        base: runner of the fp32 file; None is each cell's own runner.
    """
    return tuple(card for panel in panels if (card := _speedup_card(panel, styles, base)))


def quality_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of quality against latency, at the largest size with both, for each panel."""
    painting = [panel for panel in panels if panel.role != "encode"]
    return tuple(card for panel in painting or panels if (card := _quality_card(panel, styles)))


def _latency_chart(panel: Panel, styles: SeriesStyles) -> charts.Svg:
    sizes = panel.sizes
    series: list[Series] = []
    for name in panel.series:
        entries = [(i, e) for i, size in enumerate(sizes) if (e := panel.at(name, size))]
        points = tuple(_point(entry, place) for place, entry in entries)
        series.append(Series(name, styles.style(entries[0][1]), points))
    label = f"Median latency of {panel.full_title} in ms; the figures are in the table below"
    if len(sizes) == 1:
        return charts.dots(series, f"ms at {sizes[0]}", label)
    return charts.by_place(series, [str(size) for size in sizes], "ms", label)


def _point(entry: Entry, place: int) -> Point:
    summary = entry.summary
    assert summary is not None
    middle = max(summary.median_ns, 1.0) / 1e6
    title = (
        f"{entry.series} at {entry.size}: {number_format.milliseconds(summary.median_ns)} "
        f"({number_format.interval(summary)})"
    )
    if summary.low_ns is None or summary.high_ns is None:
        return Point(place, middle, None, title)
    low, high = (max(end, 1.0) / 1e6 for end in (summary.low_ns, summary.high_ns))
    return Point(place, middle, (max(low, middle / 10), high), title)


def _latency_table(panel: Panel, styles: SeriesStyles) -> Table:
    best = [fastest(panel, size) for size in panel.sizes]
    rows: list[tuple[str | TableCell, ...]] = []
    for name in panel.series:
        entries = [panel.at(name, size) for size in panel.sizes]
        cells = (_latency_cell(entry, best=entry in best) for entry in entries)
        rows.append((styles.label(next(e for e in entries if e)), *cells))
    return Table(("ms", *map(str, panel.sizes)), tuple(rows))


def _latency_cell(entry: Entry | None, *, best: bool) -> str | TableCell:
    if entry is None or entry.summary is None:
        return "-"
    value = number_format.bare_milliseconds(entry.summary.median_ns)
    return TableCell(value, number_format.interval(entry.summary), "best" if best else "")


def _speedup_card(panel: Panel, styles: SeriesStyles, base: str | None) -> Card | None:
    comparisons = _comparisons_with_base(panel, base)
    if not comparisons:
        return None
    max_ratio = max(comparison.ratio for comparison in comparisons.values())
    sizes = [size for size in panel.sizes if any(str(size) == key[1] for key in comparisons)]
    rows: list[tuple[str | TableCell, ...]] = []
    for name in panel.series:
        if any(name == key[0] for key in comparisons):
            entry = next(e for e in (panel.at(name, size) for size in sizes) if e)
            row = (comparisons.get((name, str(size))) for size in sizes)
            cells = (_speedup_cell(comparison, max_ratio, styles, entry) for comparison in row)
            rows.append((styles.label(entry), *cells))
    return Card(panel.full_title, Table(("", *map(str, sizes)), tuple(rows)), row=panel.row)


def _comparisons_with_base(
    panel: Panel, base: str | None
) -> dict[tuple[str, str], LatencyComparison]:
    """Return (series, size) → comparison of the cell with its fp32 base."""
    comparisons: dict[tuple[str, str], LatencyComparison] = {}
    for entry in panel.measured:
        other = panel.base_of(entry, base)
        if other is not None and other is not entry:
            paired = entry.report is other.report and entry.report.protocol.interleaved
            key = (entry.series, str(entry.size))
            comparisons[key] = compare(entry.cell.rounds_ns, other.cell.rounds_ns, paired=paired)
    return comparisons


def _speedup_cell(
    comparison: LatencyComparison | None, max_ratio: float, styles: SeriesStyles, entry: Entry
) -> str | TableCell:
    if comparison is None:
        return "-"
    value = number_format.times(comparison.ratio)
    is_noise = comparison.verdict == "cannot be told apart"
    ends = None if comparison.too_few else (comparison.low, comparison.high)
    bar = charts.bar(comparison.ratio, max_ratio, styles.style(entry), ends, mark=1.0)
    note = number_format.UNKNOWN_INTERVAL if comparison.too_few else ""
    return TableCell(f"({value})" if is_noise else value, note, graphic=bar)


def _quality_card(panel: Panel, styles: SeriesStyles) -> Card | None:
    for size in reversed(panel.sizes):
        entries = [
            (entry, entry.psnr_db, entry.summary.median_ns)
            for entry in panel.measured
            if entry.size == size and entry.summary and entry.psnr_db is not None
        ]
        if len(entries) > 1:
            break
    else:
        return None
    dots = [
        Dot(
            entry.series,
            styles.style(entry),
            max(time, 1.0) / 1e6,
            min(max(db, 0.0), MAX_DB),
            f"{entry.series}: {number_format.milliseconds(time)}, {db:.1f} dB",
        )
        for entry, db, time in entries
    ]
    title = f"{panel.full_title} at {size}"
    chart = charts.scatter(dots, "ms", "dB", f"PSNR against latency, {title}")
    unbeaten = {dot.label for dot in charts.unbeaten(dots)}
    rows = tuple(
        (
            styles.label(entry),
            number_format.milliseconds(time),
            TableCell(number_format.decibels(db), entry.psnr_source),
            number_format.change(entry.cell.subject.style_change),
            "yes" if entry.series in unbeaten else "",
        )
        for entry, db, time in sorted(entries, key=lambda item: item[2])
    )
    return Card(
        title, Table(("", "median", "PSNR", "style", "unbeaten"), rows), chart, row=panel.row
    )
