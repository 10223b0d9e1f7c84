"""Latency by size, speed-up, and quality against latency: what a file is chosen by."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.report import charts
from styleexport.runtime_bench.report import number_format as words
from styleexport.runtime_bench.report.charts import Dot, Point, Series
from styleexport.runtime_bench.report.groups import Entry, Panel
from styleexport.runtime_bench.report.headline import fastest
from styleexport.runtime_bench.report.markup import Html, card, cards, section, table, tag
from styleexport.runtime_bench.report.series_style import Look
from styleexport.runtime_bench.stats import Comparison, compare

# More is not seen in a picture of 8 bits.
MOST_DB = 70.0


def latency(panels: Sequence[Panel], look: Look) -> Html:
    """Return latency by size and runner, a chart and a table for each panel."""
    boxes = [
        card(panel.full_title, _chart(panel, look), _table(panel, look))
        for panel in panels
        if panel.measured
    ]
    return section(
        "Latency",
        "Median of inference alone, with its 95 % interval. Filled: fp32, pale: fp16, hollow: "
        "computed in integers, dotted: stored in integers.",
        cards(boxes),
    )


def speedup(panels: Sequence[Panel], look: Look, base: str | None) -> Html:
    """Return how much faster than an fp32 file each cell is, a table with bars for each panel."""
    boxes = [box for panel in panels if (box := _speedup(panel, look, base))]
    of = f"fp32 on {base}" if base else "fp32 on the same runner"
    return section(
        "Speed-up",
        f"Time of {of} by time of the file, with its 95 % interval as a line; in brackets where "
        "noise hides the difference.",
        cards(boxes),
    )


def quality(panels: Sequence[Panel], look: Look) -> Html:
    """Return quality against latency at the largest size of each panel that has both."""
    painting = [panel for panel in panels if panel.role != "encode"]
    boxes = [box for panel in painting or panels if (box := _quality(panel, look))]
    return section(
        "Quality against latency",
        "PSNR to the float network: over the quality pictures where a file was judged, else over "
        f"the artifact's probes; more than {MOST_DB:g} dB is drawn at {MOST_DB:g}. On the broken "
        "line is what nothing else beats in both.",
        cards(boxes),
    )


def _chart(panel: Panel, look: Look) -> Html:
    sizes = panel.sizes
    series: list[Series] = []
    for name in panel.series:
        found = [(i, e) for i, size in enumerate(sizes) if (e := panel.at(name, size))]
        points = tuple(_point(entry, place) for place, entry in found)
        series.append(Series(name, look.style(found[0][1]), points))
    label = f"Median latency of {panel.full_title} in ms; the figures are in the table below"
    if len(sizes) == 1:
        return Html(charts.dots(series, f"ms at {sizes[0]}", label))
    return Html(charts.by_place(series, [str(size) for size in sizes], "ms", label))


def _point(entry: Entry, place: int) -> Point:
    summary = entry.summary
    assert summary is not None
    times = (summary.low_ns, summary.median_ns, summary.high_ns)
    low, middle, high = (max(value, 1.0) / 1e6 for value in times)
    title = (
        f"{entry.series} at {entry.size}: {words.milliseconds(summary.median_ns)} "
        f"({words.interval(summary)})"
    )
    return Point(place, middle, max(low, middle / 10), high, title)


def _table(panel: Panel, look: Look) -> Html:
    best = [fastest(panel, size) for size in panel.sizes]
    rows: list[list[str]] = []
    for name in panel.series:
        entries = [panel.at(name, size) for size in panel.sizes]
        cells = [_cell(entry, best=entry in best) for entry in entries]
        rows.append([look.name(next(e for e in entries if e)), *cells])
    return table(("ms", *map(str, panel.sizes)), rows)


def _cell(entry: Entry | None, *, best: bool) -> str:
    if entry is None or entry.summary is None:
        return "-"
    value = words.bare(entry.summary.median_ns)
    told = tag("span", value, kind="best") if best else value
    return tag("div", told, tag("small", words.interval(entry.summary)))


def _speedup(panel: Panel, look: Look, base: str | None) -> Html | None:
    found: dict[tuple[str, str], Comparison] = {}
    for entry in panel.measured:
        other = panel.base_of(entry, base)
        if other is not None and other is not entry:
            same = entry.report is other.report and entry.report.protocol.interleaved
            key = (entry.series, str(entry.size))
            found[key] = compare(entry.cell.rounds_ns, other.cell.rounds_ns, paired=same)
    if not found:
        return None
    most = max(comparison.ratio for comparison in found.values())
    sizes = [size for size in panel.sizes if any(str(size) == key[1] for key in found)]
    rows: list[list[str]] = []
    for name in panel.series:
        if any(name == key[0] for key in found):
            entries = [panel.at(name, size) for size in sizes]
            compared = [found.get((name, str(size))) for size in sizes]
            entry = next(e for e in entries if e)
            rows.append([look.name(entry), *(_faster(c, most, look, entry) for c in compared)])
    return card(panel.full_title, table(("", *map(str, sizes)), rows))


def _faster(comparison: Comparison | None, most: float, look: Look, entry: Entry) -> str:
    if comparison is None:
        return "-"
    value = words.times(comparison.ratio)
    hidden = comparison.verdict == "cannot be told apart"
    ends = (comparison.low, comparison.high)
    bar = Html(charts.bar(comparison.ratio, most, look.style(entry), ends, mark=1.0))
    return tag("div", f"({value})" if hidden else value, bar)


def _quality(panel: Panel, look: Look) -> Html | None:
    for size in reversed(panel.sizes):
        entries = [
            (entry, entry.quality_db, entry.summary.median_ns)
            for entry in panel.measured
            if entry.size == size and entry.summary and entry.quality_db is not None
        ]
        if len(entries) > 1:
            break
    else:
        return None
    dots = [
        Dot(
            entry.series,
            look.style(entry),
            max(time, 1.0) / 1e6,
            min(max(db, 0.0), MOST_DB),
            f"{entry.series}: {words.milliseconds(time)}, {db:.1f} dB",
        )
        for entry, db, time in entries
    ]
    title = f"{panel.full_title} at {size}"
    chart = Html(charts.scatter(dots, "ms", "dB", f"PSNR against latency, {title}"))
    best = {dot.label for dot in charts.unbeaten(dots)}
    rows = [
        [
            look.name(entry),
            words.milliseconds(time),
            words.decibels(db),
            words.change(entry.cell.subject.style_change),
            "yes" if entry.series in best else "",
        ]
        for entry, db, time in sorted(entries, key=lambda item: item[2])
    ]
    return card(title, chart, table(("", "median", "PSNR", "style", "unbeaten"), rows))
