"""Cards of file size, memory, arithmetic rate, operations, and steadiness over the rounds."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.core.types import Size
from styleexport.runtime_bench.contract.latency import OperationFact
from styleexport.runtime_bench.report import charts, number_format
from styleexport.runtime_bench.report.groups import Entry, Panel
from styleexport.runtime_bench.report.series_style import SeriesStyles
from styleexport.runtime_bench.report.table import Card, Table, TableCell

MAX_OPERATIONS = 10


def memory_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of file sizes, and of peak memory by picture size, for each panel."""
    return tuple(
        Card(p.full_title, _memory_table(p, styles), row=p.row) for p in panels if p.measured
    )


def rate_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of GMAC/s, and of their share of the machine's peak, for each panel."""
    return tuple(
        Card(panel.full_title, _rate_table(panel, styles), row=panel.row)
        for panel in panels
        if any(entry.gmacs for entry in panel.measured)
    )


def operation_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of operations for each profiled series: its largest size, others folded."""
    cards: list[Card] = []
    for panel in panels:
        for name in panel.series:
            entries = [panel.at(name, size) for size in reversed(panel.sizes)]
            profiled = [entry for entry in entries if entry and entry.cell.operations]
            if profiled:
                first, *rest = profiled
                title = f"{panel.full_title} at {first.size}: {name}"
                others = tuple(_operation_card(str(e.size), e, styles) for e in rest)
                cards.append(_operation_card(title, first, styles, others))
    return tuple(cards)


def round_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of the samples by round for each panel: its largest size, others folded."""
    cards: list[Card] = []
    for panel in panels:
        if panel.measured:
            *others, largest = panel.sizes
            rest = tuple(Card(str(s), _round_table(panel, s, styles)) for s in reversed(others))
            title = f"{panel.full_title} at {largest}"
            table = _round_table(panel, largest, styles)
            cards.append(Card(title, table, folded=rest, row=panel.row))
    return tuple(cards)


def _memory_table(panel: Panel, styles: SeriesStyles) -> Table:
    largest_file = max(entry.cell.subject.size_bytes for entry in panel.measured)
    largest_peak = max((entry.memory_bytes or 0 for entry in panel.measured), default=0)

    def cell(count: int | None, full_bar: float, entry: Entry) -> TableCell:
        text = number_format.bare_megabytes(count)
        return TableCell(text, graphic=charts.bar(count or 0, full_bar, styles.style(entry)))

    rows: list[tuple[str | TableCell, ...]] = []
    for name in panel.series:
        entries = [panel.at(name, size) for size in panel.sizes]
        first = next(entry for entry in entries if entry)
        size = max(entry.cell.subject.size_bytes for entry in entries if entry)
        peaks = (cell(e.memory_bytes, largest_peak, e) if e else "-" for e in entries)
        rows.append((styles.label(first), cell(size, largest_file, first), *peaks))
    return Table(("MB", "file", *map(str, panel.sizes)), tuple(rows))


def _rate_table(panel: Panel, styles: SeriesStyles) -> Table:
    known = [entry for entry in panel.measured if entry.gmacs]
    max_rate = max(entry.gmacs or 0.0 for entry in known)
    rows: list[tuple[str | TableCell, ...]] = []
    for name in dict.fromkeys(entry.series for entry in known):
        entries = [panel.at(name, size) for size in panel.sizes]
        first = next(entry for entry in entries if entry)
        cells = (_rate_cell(entry, max_rate, styles) if entry else "-" for entry in entries)
        rows.append((styles.label(first), *cells))
    return Table(("GMAC/s", *map(str, panel.sizes)), tuple(rows))


def _rate_cell(entry: Entry, max_rate: float, styles: SeriesStyles) -> str | TableCell:
    rate, peak = entry.gmacs, entry.peak_gmacs
    if rate is None:
        return "-"
    note = f"{number_format.share(rate / peak)} of {number_format.gmacs(peak)}" if peak else ""
    bar = charts.bar(rate, peak or max_rate, styles.style(entry))
    return TableCell(number_format.gmacs(rate), note, graphic=bar)


def _round_table(panel: Panel, size: Size, styles: SeriesStyles) -> Table:
    rows: list[tuple[str | TableCell, ...]] = []
    for name in panel.series:
        entry = panel.at(name, size)
        if entry is None or entry.summary is None:
            continue
        summary = entry.summary
        label = f"Samples of {entry.series} in {summary.rounds} rounds"
        rounds = [samples for samples in entry.cell.rounds_ns if samples]
        rows.append(
            (
                styles.label(entry),
                TableCell(graphic=charts.strip(rounds, styles.style(entry), label)),
                TableCell(str(summary.count), f"{summary.outliers} outliers"),
                TableCell(
                    number_format.change(summary.drift), emphasis="bad" if summary.drifts else ""
                ),
            )
        )
    return Table(("", "by round", "samples", "drift"), tuple(rows))


def _operation_card(
    title: str, entry: Entry, styles: SeriesStyles, others: tuple[Card, ...] = ()
) -> Card:
    """Return the operations of a cell, slowest first, those after the tenth folded."""
    operations = sorted(entry.cell.operations, key=lambda fact: -fact.time_ns)
    total_ns = sum(fact.time_ns for fact in operations) or 1

    def row(fact: OperationFact) -> tuple[str | TableCell, ...]:
        kernel = ", ".join(filter(None, (fact.op, fact.delegate)))
        rate = fact.macs / fact.time_ns if fact.macs and fact.time_ns else None
        bar = charts.bar(fact.time_ns, operations[0].time_ns, styles.style(entry))
        return (
            TableCell(number_format.short(fact.layer, 40), number_format.short(kernel, 44)),
            TableCell(number_format.bare_milliseconds(fact.time_ns), graphic=bar),
            f"{100 * fact.time_ns / total_ns:.1f} %",
            number_format.gmacs(rate),
        )

    header = ("layer", "ms", "share", "GMAC/s")
    first, rest = operations[:MAX_OPERATIONS], operations[MAX_OPERATIONS:]
    more = (Card(f"{len(rest)} more", Table(header, tuple(map(row, rest)))),) if rest else ()
    return Card(title, Table(header, tuple(map(row, first))), folded=(*more, *others))
