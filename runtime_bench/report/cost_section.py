"""What a file costs besides time, how near it comes to the machine's best, how steady it was."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.core.types import Size
from styleexport.runtime_bench.contract.latency import OperationFact
from styleexport.runtime_bench.report import charts
from styleexport.runtime_bench.report import number_format as words
from styleexport.runtime_bench.report.groups import Entry, Panel
from styleexport.runtime_bench.report.markup import Html, card, cards, folded, section, table, tag
from styleexport.runtime_bench.report.series_style import Look

MOST_OPERATIONS = 10


def memory(panels: Sequence[Panel], look: Look) -> Html:
    """Return the size of each file and the memory that it takes at each size."""
    boxes = [card(p.full_title, _memory(p, look)) for p in panels if p.measured]
    return section(
        "Size and memory",
        "Of the file, and at each size the peak memory of the process less what it held before the "
        "file was loaded.",
        cards(boxes),
    )


def rates(panels: Sequence[Panel], look: Look) -> Html:
    """Return the multiply-accumulates a second, and their share of what the machine can do."""
    boxes = [
        card(panel.full_title, _rates(panel, look))
        for panel in panels
        if any(entry.gmacs for entry in panel.measured)
    ]
    return section(
        "GMAC/s",
        "MACs of the network by median time. The share is of the best that the machine was seen to "
        "do in the same run, in int8 for files computed in integers.",
        cards(boxes),
    )


def rounds(panels: Sequence[Panel], look: Look) -> Html:
    """Return the samples of each round: the largest size in full, the others folded."""
    boxes: list[Html] = []
    for panel in panels:
        if panel.measured:
            *others, largest = panel.sizes
            rest = [folded(str(size), _rounds(panel, size, look)) for size in reversed(others)]
            boxes.append(
                card(f"{panel.full_title} at {largest}", _rounds(panel, largest, look), *rest)
            )
    return section(
        "Rounds",
        "Every sample is a point, a column is a round, up is slower. Drift is from the first round "
        "to the last; outliers are beyond Tukey's fences and are in every figure.",
        cards(boxes),
    )


def operations(panels: Sequence[Panel], look: Look) -> Html:
    """Return the operations of profiled cells: the largest size of each series, the rest folded."""
    boxes: list[Html] = []
    for panel in panels:
        for name in panel.series:
            found = [panel.at(name, size) for size in reversed(panel.sizes)]
            profiled = [entry for entry in found if entry and entry.cell.operations]
            if profiled:
                first, *rest = profiled
                others = [folded(str(entry.size), _operations(entry, look)) for entry in rest]
                title = f"{panel.full_title} at {first.size}: {name}"
                boxes.append(card(title, _operations(first, look), *others))
    return section("Operations", "By layer of the network, from a profiled run.", cards(boxes))


def _memory(panel: Panel, look: Look) -> Html:
    largest = max(entry.cell.subject.size_bytes for entry in panel.measured)
    most = max((entry.memory_bytes or 0 for entry in panel.measured), default=0)
    rows: list[list[str]] = []
    for name in panel.series:
        entries = [panel.at(name, size) for size in panel.sizes]
        first = next(entry for entry in entries if entry)
        size = max(entry.cell.subject.size_bytes for entry in entries if entry)
        rows.append(
            [
                look.name(first),
                _barred(_bare(size), size, largest, first, look),
                *(
                    _barred(_bare(e.memory_bytes), e.memory_bytes or 0, most, e, look) if e else "-"
                    for e in entries
                ),
            ]
        )
    return table(("MB", "file", *map(str, panel.sizes)), rows)


def _bare(count: int | None) -> str:
    return words.megabytes(count).removesuffix(" MB")


def _barred(told: str, value: float, most: float, entry: Entry, look: Look) -> str:
    return tag("div", told, Html(charts.bar(value, most, look.style(entry))))


def _rates(panel: Panel, look: Look) -> Html:
    known = [entry for entry in panel.measured if entry.gmacs]
    most = max(entry.gmacs or 0.0 for entry in known)
    rows: list[list[str]] = []
    for name in dict.fromkeys(entry.series for entry in known):
        entries = [panel.at(name, size) for size in panel.sizes]
        first = next(entry for entry in entries if entry)
        cells = [_rate(entry, most, look) if entry else "-" for entry in entries]
        rows.append([look.name(first), *cells])
    return table(("GMAC/s", *map(str, panel.sizes)), rows)


def _rate(entry: Entry, most: float, look: Look) -> str:
    rate, best = entry.gmacs, entry.peak_gmacs
    if rate is None:
        return "-"
    share = tag("small", f"{words.share(rate / best)} of {words.gmacs(best)}") if best else ""
    bar = Html(charts.bar(rate, best or most, look.style(entry)))
    return tag("div", words.gmacs(rate), share, bar)


def _rounds(panel: Panel, size: Size, look: Look) -> Html:
    rows: list[list[str]] = []
    for name in panel.series:
        entry = panel.at(name, size)
        if entry is None or entry.summary is None:
            continue
        summary = entry.summary
        label = f"Samples of {entry.series} in {summary.rounds} rounds"
        filled = [samples for samples in entry.cell.rounds_ns if samples]
        drift = words.change(summary.drift)
        rows.append(
            [
                look.name(entry),
                tag("div", Html(charts.strip(filled, look.style(entry), label)), kind="strip"),
                tag("div", str(summary.count), tag("small", f"{summary.outliers} outliers")),
                tag("span", drift, kind="bad") if summary.drifts else drift,
            ]
        )
    return table(("", "by round", "samples", "drift"), rows)


def _operations(entry: Entry, look: Look) -> Html:
    found = sorted(entry.cell.operations, key=lambda fact: -fact.time_ns)
    total = sum(fact.time_ns for fact in found) or 1
    most = found[0].time_ns

    def row(fact: OperationFact) -> list[str]:
        kernel = ", ".join(filter(None, (fact.op, fact.delegate)))
        rate = fact.macs / fact.time_ns if fact.macs and fact.time_ns else None
        return [
            tag("div", words.short(fact.layer, 40), tag("small", words.short(kernel, 44))),
            _barred(words.bare(fact.time_ns), fact.time_ns, most, entry, look),
            f"{100 * fact.time_ns / total:.1f} %",
            words.gmacs(rate),
        ]

    header = ("layer", "ms", "share", "GMAC/s")
    shown = table(header, [row(fact) for fact in found[:MOST_OPERATIONS]])
    rest = found[MOST_OPERATIONS:]
    if not rest:
        return shown
    return tag("div", shown, folded(f"{len(rest)} more", table(header, [row(f) for f in rest])))
