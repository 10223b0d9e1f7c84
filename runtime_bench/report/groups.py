"""What a page is made of: cells with their statistics, by machine, network and role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from styleexport.core.types import Precision, Size
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport
from styleexport.runtime_bench.report.number_format import short
from styleexport.runtime_bench.stats import Summary, compare, summarise


@dataclass(frozen=True)
class Entry:
    """One cell with its statistics.

    Attributes:
        report: that holds it.
        cell: as measured.
        summary: None where it was not measured.
        twin: how many cells of the same key stand before it: 1 for the second artifact.
    """

    report: LatencyReport
    cell: CellFact
    summary: Summary | None
    twin: int = 0

    @property
    def size(self) -> Size:
        """Of the picture."""
        return self.cell.size.size()

    @property
    def series(self) -> str:
        """Runner and precision: what one line of a chart shows over the sizes."""
        twin = f" ({self.twin + 1})" if self.twin else ""
        return f"{self.cell.runner_label} {self.cell.subject.precision}{twin}"

    @property
    def memory_bytes(self) -> int | None:
        """The peak of the process less what it held before; None where either is not known."""
        peak, idle = self.cell.peak_rss_bytes, self.cell.idle_rss_bytes
        return None if peak is None or idle is None else max(0, peak - idle)

    @property
    def gmacs(self) -> float | None:
        """GMAC/s at the median; None where the MACs are not known."""
        macs = self.cell.subject.macs * self.cell.batch
        return macs / max(self.summary.median_ns, 1.0) if macs and self.summary else None

    @property
    def peak_gmacs(self) -> float | None:
        """What the machine reaches at best in what most of the file computes in."""
        peak = self.report.peak
        if peak is None:
            return None
        return peak.int8_gmacs if self.cell.subject.int8_mac_share > 0.5 else peak.fp32_gmacs

    @property
    def quality_db(self) -> float | None:
        """PSNR to the float network: of the judged pictures, or else of the artifact's probes."""
        if self.cell.subject.quality_db is not None:
            return self.cell.subject.quality_db
        return self.cell.parity.measured_db if self.cell.parity else None


@dataclass(frozen=True)
class Panel:
    """The cells of one machine, network, role and batch: what may be compared with each other."""

    machine: str
    network: str
    role: str
    batch: int
    entries: tuple[Entry, ...]
    alone: bool

    @property
    def title(self) -> str:
        """Network, role and batch in words."""
        batch = f", batch {self.batch}" if self.batch > 1 else ""
        return f"{self.network} {self.role}{batch}"

    @property
    def full_title(self) -> str:
        """The same with the machine, where there are several."""
        return self.title if self.alone else f"{self.title} · {self.machine}"

    @property
    def measured(self) -> tuple[Entry, ...]:
        """The cells that have samples."""
        return tuple(entry for entry in self.entries if entry.summary)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes that were measured, the smallest picture first."""
        found = {entry.size for entry in self.measured}
        return tuple(sorted(found, key=lambda size: (size.height * size.width, size)))

    @property
    def series(self) -> tuple[str, ...]:
        """What was measured, in the order of the reports."""
        return tuple(dict.fromkeys(entry.series for entry in self.measured))

    def at(self, series: str, size: Size) -> Entry | None:
        """Return the cell of a series at a size; None where it was not measured."""
        for entry in self.measured:
            if entry.series == series and entry.size == size:
                return entry
        return None

    def base_of(self, entry: Entry, runner: str | None) -> Entry | None:
        """Return the fp32 cell that a cell is compared with: of its own runner, or of one named.

        None where that was not measured at this size.
        """
        wanted = runner or entry.cell.runner
        of_runner = [
            other
            for other in self.measured
            if other.size == entry.size
            and other.cell.subject.precision is Precision.FP32
            and wanted in (other.cell.runner, other.cell.runner_label)
        ]
        return next(
            (e for e in of_runner if e.cell.requested == entry.cell.requested),
            next(iter(of_runner), None),
        )


@dataclass(frozen=True)
class Machine:
    """One machine, with all reports of it that can stand in one table."""

    name: str
    reports: tuple[LatencyReport, ...]
    entries: tuple[Entry, ...]
    alone: bool = True

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Its cells by network, role and batch; what paints comes before what encodes a style."""
        keys = dict.fromkeys(_panel_key(entry) for entry in self.entries)
        networks = list(dict.fromkeys(key[0] for key in keys))
        ordered = sorted(keys, key=lambda k: (networks.index(k[0]), k[1] == "encode", k[2]))
        parts = {key: tuple(e for e in self.entries if _panel_key(e) == key) for key in ordered}
        return tuple(Panel(self.name, *key, parts[key], self.alone) for key in ordered)


def machines_of(reports: Sequence[LatencyReport]) -> tuple[Machine, ...]:
    """Return the reports by machine; those that measured the same cells are kept apart by time.

    Statistics are computed here, once.
    """
    groups: dict[tuple[object, ...], list[LatencyReport]] = {}
    for report in reports:
        groups.setdefault(report.machine.identity, []).append(report)
    found: list[Machine] = []
    for same in groups.values():
        runs = _without_overlap(same)
        found += [_machine(run, run[0].created if len(runs) > 1 else None) for run in runs]
    return tuple(_told_apart_by_name(found))


def told_apart(first: Entry, second: Entry) -> bool:
    """Whether two measured cells differ by more than noise; paired where they took turns."""
    together = first.report is second.report and first.size == second.size
    paired = together and first.report.protocol.interleaved
    found = compare(first.cell.rounds_ns, second.cell.rounds_ns, paired=paired)
    return found.verdict != "cannot be told apart"


def _without_overlap(reports: Sequence[LatencyReport]) -> list[list[LatencyReport]]:
    """Return the reports in as few parts as hold no cell twice."""
    parts: list[tuple[set[tuple[str, ...]], list[LatencyReport]]] = []
    for report in reports:
        keys = {cell.key for cell in report.cells}
        fitting = [part for part in parts if not part[0] & keys]
        held, members = fitting[0] if fitting else (set[tuple[str, ...]](), [])
        held |= keys
        members.append(report)
        if not fitting:
            parts.append((held, members))
    return [members for _, members in parts]


def _told_apart_by_name(machines: Sequence[Machine]) -> Iterator[Machine]:
    names = Counter(machine.name for machine in machines)
    seen: Counter[str] = Counter()
    for machine in machines:
        seen[machine.name] += 1
        number = f" ({seen[machine.name]})" if names[machine.name] > 1 else ""
        name = machine.name + number
        yield Machine(name, machine.reports, machine.entries, alone=len(machines) == 1)


def _machine(reports: Sequence[LatencyReport], when: str | None = None) -> Machine:
    fact = reports[0].machine
    kinds = "" if reports[0].harness.name == "desktop" else f" ({reports[0].harness.name})"
    name = short(fact.device or fact.processor or "an unnamed machine", 48) + kinds
    if when is not None:
        name += f", {when[:16].replace('T', ' ')}"
    entries: list[Entry] = []
    for report in reports:
        seen: Counter[tuple[str, ...]] = Counter()
        for cell in report.cells:
            summary = summarise(cell.rounds_ns) if cell.status == "measured" else None
            entries.append(Entry(report, cell, summary, seen[cell.key]))
            seen[cell.key] += 1
    return Machine(name, tuple(reports), tuple(entries))


def _panel_key(entry: Entry) -> tuple[str, str, int]:
    return (entry.cell.subject.network, entry.cell.subject.role.value, entry.cell.batch)
