"""Summary of a report in one table: the fastest cells, and the conditions that limit trust in them.

A column is a machine, so that several stand side by side. Their figures are never compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from styleexport.core.types import Size
from styleexport.runtime_bench.contract.doubts import doubts_of_report
from styleexport.runtime_bench.report.groups import Entry, Machine, Panel, by_area, differ
from styleexport.runtime_bench.report.number_format import interval, milliseconds, short
from styleexport.runtime_bench.report.table import Table, TableCell

MAX_NAMED = 3
NOTHING = "not measured"

Row = tuple[str | TableCell, ...]


def summary_table(machines: Sequence[Machine]) -> Table:
    """Return a table with a column a machine: the fastest cells, then the conditions.

    Style encoders are left out where other files were measured: they run once per style.
    """
    fastest_rows = tuple(_fastest_rows(machines))
    nothing: Row = ("fastest", *("nothing was measured" for _ in machines))
    rows = (*(fastest_rows or (nothing,)), *_condition_rows(machines), *_doubt_rows(machines))
    return Table(("", *(machine.name for machine in machines)), rows, is_prose=True)


def fastest(panel: Panel, size: Size) -> Entry:
    """Return the cell of the lowest median at a measured size."""
    cells = [entry for entry in panel.measured if entry.size == size]
    return min(cells, key=lambda entry: entry.summary.median_ns if entry.summary else 0.0)


def rivals_of(panel: Panel, entry: Entry) -> tuple[Entry, ...]:
    """Return the other cells of the size that do not differ from one, fastest first."""
    others = [e for e in panel.measured if e.size == entry.size and e is not entry]
    others.sort(key=lambda other: other.summary.median_ns if other.summary else 0.0)
    return tuple(other for other in others if not differ(entry, other))


def _fastest_rows(machines: Sequence[Machine]) -> Iterator[Row]:
    panels = [[panel for panel in machine.panels if panel.measured] for machine in machines]
    every = [panel for own in panels for panel in own]
    painting = [panel for panel in every if panel.role != "encode"]
    shown = painting or every
    for title in dict.fromkeys(panel.title for panel in shown):
        columns = [next((p for p in own if p.title == title), None) for own in panels]
        sizes = sorted({s for panel in columns if panel for s in panel.sizes}, key=by_area)
        for size in sizes:
            label = TableCell(f"fastest at {size}", title)
            yield (label, *(_fastest_cell(panel, size) for panel in columns))


def _fastest_cell(panel: Panel | None, size: Size) -> str | TableCell:
    if panel is None or size not in panel.sizes:
        return NOTHING
    best = fastest(panel, size)
    assert best.summary is not None
    note = interval(best.summary)
    if rivals := rivals_of(panel, best):
        note += f"; no clear difference from {_names(rivals)}"
    time = milliseconds(best.summary.median_ns)
    return TableCell(f"{time}, {best.series}", note, "best")


def _names(entries: Sequence[Entry]) -> str:
    names = ", ".join(entry.series for entry in entries[:MAX_NAMED])
    more = len(entries) - MAX_NAMED
    return f"{names} and {more} more" if more > 0 else names


def _condition_rows(machines: Sequence[Machine]) -> Iterator[Row]:
    yield ("processor", *map(_processor, machines))
    yield ("measured", *map(_measured, machines))
    yield ("load before", *map(_load, machines))


def _processor(machine: Machine) -> TableCell:
    fact = machine.reports[0].machine
    return TableCell(f"{short(fact.processor)}, {fact.cores} logical cores", short(fact.os))


def _measured(machine: Machine) -> TableCell:
    report = machine.reports[0]
    protocol = report.protocol
    turns = "interleaved" if protocol.interleaved else "one cell after the other"
    done = sum(entry.summary is not None for entry in machine.entries)
    return TableCell(
        f"{done} of {len(machine.entries)} cells, {report.created[:10]}",
        f"{protocol.rounds} rounds of {protocol.seconds:g} s, {turns}; "
        f"styleexport {short(report.harness.version, 20)}",
    )


def _load(machine: Machine) -> str | TableCell:
    loads = [report.before.load_average for report in machine.reports]
    known = [load for load in loads if load is not None]
    if not known:
        return "unknown"
    cores = machine.reports[0].machine.cores
    text = f"{max(known):.1f} on {cores} cores"
    is_busy = max(known) > cores / 2
    return TableCell(text, "busy: trust no small difference", "bad") if is_busy else text


def _doubt_rows(machines: Sequence[Machine]) -> Iterator[Row]:
    """Yield the doubts about the machines, and the number of doubtful cells of each kind."""
    doubts = [
        {name: text for report in m.reports for name, text in doubts_of_report(report).items()}
        for m in machines
    ]
    for name in dict.fromkeys(name for each in doubts for name in each):
        texts = (TableCell(each[name], emphasis="bad") if name in each else "no" for each in doubts)
        yield (TableCell("doubtful conditions", name), *texts)
    kinds: tuple[tuple[str, str, Callable[[Entry], bool]], ...] = (
        ("failed the probes", "without latency", lambda e: e.cell.status == "wrong"),
        (
            "could not be measured",
            "the reasons are below",
            lambda e: e.summary is None and e.cell.status != "wrong",
        ),
        (
            "interval unknown",
            "fewer than three rounds, or too unlike",
            lambda e: e.summary is not None and e.summary.low_ns is None,
        ),
        (
            "drifted by more than 3 %",
            "from the first round to the last",
            lambda e: e.summary is not None and e.summary.drifts,
        ),
    )
    for name, note, is_doubtful in kinds:
        counts = [sum(map(is_doubtful, machine.entries)) for machine in machines]
        if any(counts):
            yield (TableCell(name, note), *map(_cells, counts))


def _cells(count: int) -> str | TableCell:
    if not count:
        return "none"
    return TableCell("1 cell" if count == 1 else f"{count} cells", emphasis="bad")
