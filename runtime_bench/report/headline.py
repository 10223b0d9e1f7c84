"""Summary sentences of a report: the fastest cells, their rivals within noise, and cautions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from styleexport.core.types import Size
from styleexport.runtime_bench.contract.doubts import doubts_of_report
from styleexport.runtime_bench.report.groups import Entry, Machine, Panel, differ
from styleexport.runtime_bench.report.number_format import interval, milliseconds

MAX_NAMED = 3


def headline(machines: Sequence[Machine]) -> tuple[str, ...]:
    """Return a sentence for each machine and network, then the cautions.

    Style encoders are left out where other files were measured: they run once per style.
    """
    lines: list[str] = []
    for machine in machines:
        painting = [p for p in machine.panels if p.role != "encode" and p.measured]
        for panel in painting or [p for p in machine.panels if p.measured]:
            where = f"{machine.name}: " if len(machines) > 1 else ""
            lines.append(where + _fastest(panel))
    return (*lines, *_cautions(machines)) or ("Nothing was measured.",)


def fastest(panel: Panel, size: Size) -> Entry:
    """Return the cell of the lowest median at a measured size."""
    cells = [entry for entry in panel.measured if entry.size == size]
    return min(cells, key=lambda entry: entry.summary.median_ns if entry.summary else 0.0)


def rivals_of(panel: Panel, entry: Entry) -> tuple[Entry, ...]:
    """Return the other cells of the size that do not differ from one, fastest first."""
    others = [e for e in panel.measured if e.size == entry.size and e is not entry]
    others.sort(key=lambda other: other.summary.median_ns if other.summary else 0.0)
    return tuple(other for other in others if not differ(entry, other))


def _fastest(panel: Panel) -> str:
    best = [fastest(panel, size) for size in panel.sizes]
    parts: list[str] = []
    for series, entries in groupby(best, key=lambda entry: entry.series):
        parts.append(f"{series}: {', '.join(_time(entry) for entry in entries)}")
    if len(panel.series) == 1:
        return f"{panel.title}: {parts[0]}; nothing else was measured."
    caveats = [
        f" At {entry.size} it cannot be told apart from {_names(rivals)}."
        for entry in best
        if (rivals := rivals_of(panel, entry))
    ]
    return f"{panel.title}: fastest is {'; '.join(parts)}.{''.join(caveats)}"


def _time(entry: Entry) -> str:
    assert entry.summary is not None
    time = milliseconds(entry.summary.median_ns)
    return f"{entry.size} in {time} ({interval(entry.summary)})"


def _names(entries: Sequence[Entry]) -> str:
    names = ", ".join(entry.series for entry in entries[:MAX_NAMED])
    more = len(entries) - MAX_NAMED
    return f"{names} and {more} more" if more > 0 else names


def _cautions(machines: Sequence[Machine]) -> Iterator[str]:
    for machine in machines:
        loads = [report.before.load_average or 0.0 for report in machine.reports]
        cores = machine.reports[0].machine.cores
        if max(loads) > cores / 2:
            yield (
                f"{machine.name} was busy before the measurement, load {max(loads):.1f} on {cores} "
                "cores: trust no small difference."
            )
        for report in machine.reports:
            for name, reason in doubts_of_report(report).items():
                yield f"{machine.name} was measured in doubtful conditions: {reason} [{name}]."
    entries = [entry for machine in machines for entry in machine.entries]
    wrong = sum(entry.cell.status == "wrong" for entry in entries)
    if wrong:
        yield f"{_cells(wrong)} failed the artifact's probes and got no latency."
    others = sum(entry.summary is None for entry in entries) - wrong
    if others:
        yield f"{_cells(others)} could not be measured; the reasons are below."
    drifting = sum(entry.summary is not None and entry.summary.drifts for entry in entries)
    if drifting:
        yield f"{_cells(drifting)} drifted by more than 3 % from the first round to the last."


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
