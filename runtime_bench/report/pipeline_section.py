"""A style encoded and a picture painted in it: the sum of two files that were measured apart."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.report import number_format as words
from styleexport.runtime_bench.report.groups import Entry, Panel
from styleexport.runtime_bench.report.markup import Html, card, cards, section, table, tag
from styleexport.runtime_bench.report.series_style import Look
from styleexport.runtime_bench.stats import Summary, summarise


def pipeline(panels: Sequence[Panel], look: Look) -> Html:
    """Return the time of encode and transform together, a table for each network of two files."""
    boxes: list[Html] = []
    for panel in panels:
        if panel.role == "transform" and (encode := _encode_of(panel, panels)):
            rows = [row for name in panel.series if (row := _row(name, panel, encode, look))]
            if rows:
                title = panel.full_title.replace(panel.title, f"{panel.network} with a new style")
                boxes.append(card(title, table(("ms", *map(str, panel.sizes)), rows)))
    return section(
        "Pipeline",
        "Encode and transform one after the other, added sample by sample within a round; below, "
        "the share of encode. A style code that is kept needs transform alone.",
        cards(boxes),
    )


def together(encode: Entry, transform: Entry) -> Summary | None:
    """Return the statistics of both after each other; None where they have no round in common.

    The n-th sample of a round of one is added to the n-th of the other: they were taken
    independently, so that any pairing within a round gives the distribution of the sum.
    """
    pairs = zip(encode.cell.rounds_ns, transform.cell.rounds_ns, strict=False)
    rounds = tuple(
        tuple(first + second for first, second in zip(one, other, strict=False))
        for one, other in pairs
    )
    return summarise(rounds) if any(rounds) else None


def _encode_of(panel: Panel, panels: Sequence[Panel]) -> Panel | None:
    key = (panel.machine, panel.network, panel.batch)
    for other in panels:
        if other.role == "encode" and (other.machine, other.network, other.batch) == key:
            return other
    return None


def _row(name: str, transform: Panel, encode: Panel, look: Look) -> list[str] | None:
    cells: list[str] = []
    named: Entry | None = None
    for size in transform.sizes:
        first, second = encode.at(name, size), transform.at(name, size)
        total = together(first, second) if first and second else None
        if first is None or first.summary is None or total is None:
            cells.append("-")
            continue
        named = first
        share = first.summary.median_ns / max(total.median_ns, 1.0)
        told = f"{words.interval(total)}, {words.share(share)}"
        cells.append(tag("div", words.bare(total.median_ns), tag("small", told)))
    return [look.name(named), *cells] if named else None
