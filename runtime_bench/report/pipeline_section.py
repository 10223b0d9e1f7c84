"""Cards of encode and transform together: the sum of two files that were measured apart."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.report import number_format
from styleexport.runtime_bench.report.groups import Entry, Panel
from styleexport.runtime_bench.report.series_style import SeriesStyles
from styleexport.runtime_bench.report.table import Card, Table, TableCell
from styleexport.runtime_bench.stats import Summary, summarise


def pipeline_cards(panels: Sequence[Panel], styles: SeriesStyles) -> tuple[Card, ...]:
    """Return a card of the time of encode and transform for each network of two files."""
    cards: list[Card] = []
    for panel in panels:
        if panel.role == "transform" and (encode := _encode_panel(panel, panels)):
            rows = (_row(name, panel, encode, styles) for name in panel.series)
            table = Table(("ms", *map(str, panel.sizes)), tuple(row for row in rows if row))
            if table.rows:
                title = panel.full_title.replace(panel.title, f"{panel.network} with a new style")
                cards.append(Card(title, table, row=panel.row))
    return tuple(cards)


def pipeline_summary(encode: Entry, transform: Entry) -> Summary | None:
    """Return the statistics of encode followed by transform; None without a common round.

    The n-th sample of a round of one is added to the n-th of the other: they were taken
    independently, so any pairing within a round gives the distribution of the sum.
    """
    pairs = zip(encode.cell.rounds_ns, transform.cell.rounds_ns, strict=False)
    rounds = tuple(
        tuple(first + second for first, second in zip(one, other, strict=False))
        for one, other in pairs
    )
    return summarise(rounds) if any(rounds) else None


def _encode_panel(panel: Panel, panels: Sequence[Panel]) -> Panel | None:
    key = (panel.machine, panel.network, panel.batch)
    for other in panels:
        if other.role == "encode" and (other.machine, other.network, other.batch) == key:
            return other
    return None


def _row(
    name: str, transform: Panel, encode: Panel, styles: SeriesStyles
) -> tuple[str | TableCell, ...] | None:
    cells: list[str | TableCell] = []
    measured: Entry | None = None
    for size in transform.sizes:
        first, second = encode.at(name, size), transform.at(name, size)
        total = pipeline_summary(first, second) if first and second else None
        if first is None or first.summary is None or total is None:
            cells.append("-")
            continue
        measured = first
        share = number_format.share(first.summary.median_ns / max(total.median_ns, 1.0))
        note = f"{number_format.interval(total)}, {share}"
        cells.append(TableCell(number_format.bare_milliseconds(total.median_ns), note))
    return (styles.label(measured), *cells) if measured else None
