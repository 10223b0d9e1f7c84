"""Measured cells with their statistics, grouped by machine, network and role."""

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
        report: report that holds the cell.
        cell: measured samples and their conditions.
        summary: statistics of the samples; None where the cell was not measured.
        twin: number of earlier cells of the same key in the report: 1 for the second artifact.
    """

    report: LatencyReport
    cell: CellFact
    summary: Summary | None
    twin: int = 0

    @property
    def size(self) -> Size:
        """Size of the picture."""
        return self.cell.size.size()

    @property
    def runner(self) -> str:
        """Runner with its settings and the format of the file, which may be named alike."""
        target = self.cell.subject.target
        label = self.cell.runner_label
        return label if target == self.cell.runner else f"{label} {target}"

    @property
    def series(self) -> str:
        """Runner, format and precision, which one line of a chart shows over the sizes."""
        twin = f" ({self.twin + 1})" if self.twin else ""
        return f"{self.runner} {self.cell.subject.precision}{twin}"

    @property
    def memory_bytes(self) -> int | None:
        """Peak memory of the process less its idle memory; None where either is unknown."""
        peak, idle = self.cell.peak_rss_bytes, self.cell.idle_rss_bytes
        return None if peak is None or idle is None else max(0, peak - idle)

    @property
    def gmacs(self) -> float | None:
        """GMAC/s at the median time; None where the MACs are unknown."""
        macs = self.cell.subject.macs * self.cell.batch
        return macs / max(self.summary.median_ns, 1.0) if macs and self.summary else None

    @property
    def peak_gmacs(self) -> float | None:
        """Peak GMAC/s of the machine, in int8 for files that compute mostly in int8."""
        peak = self.report.peak
        if peak is None:
            return None
        return peak.int8_gmacs if self.cell.subject.int8_mac_share > 0.5 else peak.fp32_gmacs

    @property
    def parity_db(self) -> float | None:
        """PSNR to the float network on the worst of the artifact's probes."""
        return self.cell.parity.measured_db if self.cell.parity else None

    @property
    def psnr_db(self) -> float | None:
        """PSNR over the quality pictures where the file was judged on them, else parity."""
        quality = self.cell.subject.quality_db
        return self.parity_db if quality is None else quality

    @property
    def psnr_source(self) -> str:
        """Pictures that `psnr_db` was measured on, in words."""
        return "probes" if self.cell.subject.quality_db is None else "quality pictures"


@dataclass(frozen=True)
class Panel:
    """Cells of one machine, network, role and batch, which may be compared with each other.

    Attributes:
        machine: name of the machine.
        network: name of the network.
        role: role of the files.
        batch: number of pictures per inference.
        entries: cells, in the order of the reports.
        alone: whether the page shows one machine only.
    """

    machine: str
    network: str
    role: str
    batch: int
    entries: tuple[Entry, ...]
    alone: bool

    @property
    def title(self) -> str:
        """Network, role and batch."""
        batch = f", batch {self.batch}" if self.batch > 1 else ""
        return f"{self.network} {self.role}{batch}"

    @property
    def full_title(self) -> str:
        """Network, role and batch, and the machine where there are several."""
        return self.title if self.alone else f"{self.title} · {self.machine}"

    @property
    def row(self) -> str:
        """Title that the panels of several machines have in common; "" for one machine."""
        return "" if self.alone else self.title

    @property
    def measured(self) -> tuple[Entry, ...]:
        """Cells that have samples."""
        return tuple(entry for entry in self.entries if entry.summary)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Measured sizes, the smallest picture first."""
        return tuple(sorted({entry.size for entry in self.measured}, key=by_area))

    @property
    def series(self) -> tuple[str, ...]:
        """Measured series, in the order of the reports."""
        return tuple(dict.fromkeys(entry.series for entry in self.measured))

    def at(self, series: str, size: Size) -> Entry | None:
        """Return the cell of a series at a size; None where it was not measured."""
        for entry in self.measured:
            if entry.series == series and entry.size == size:
                return entry
        return None

    def base_of(self, entry: Entry, runner: str | None) -> Entry | None:
        """Return the fp32 cell that a cell's speed-up is relative to; None where there is none.

        Args:
            entry: cell of the panel.
            runner: runner of the fp32 cell; None is the cell's own.

        A file of the same format, settings and artifact goes before others; an fp32 cell of that
        runner is its own base.
        """
        base_runner = runner or entry.cell.runner
        candidates = [
            other
            for other in self.measured
            if other.size == entry.size
            and other.cell.subject.precision is Precision.FP32
            and base_runner in (other.cell.runner, other.cell.runner_label)
        ]
        return min(candidates, key=lambda other: _distance(entry, other), default=None)


@dataclass(frozen=True)
class Machine:
    """One machine with the reports of it that fit one table.

    Attributes:
        name: unique name.
        reports: one report or more, without a cell in common.
        entries: cells of the reports.
        alone: whether the page shows no other machine.
    """

    name: str
    reports: tuple[LatencyReport, ...]
    entries: tuple[Entry, ...]
    alone: bool = True

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Cells by network, role and batch; stylizing files come before style encoders."""
        keys = dict.fromkeys(_panel_key(entry) for entry in self.entries)
        networks = list(dict.fromkeys(key[0] for key in keys))
        ordered = sorted(keys, key=lambda k: (networks.index(k[0]), k[1] == "encode", k[2]))
        parts = {key: tuple(e for e in self.entries if _panel_key(e) == key) for key in ordered}
        return tuple(Panel(self.name, *key, parts[key], self.alone) for key in ordered)


def machines_of(reports: Sequence[LatencyReport]) -> tuple[Machine, ...]:
    """Return the reports by machine, with statistics; repeated measurements are named by time."""
    groups: dict[tuple[object, ...], list[LatencyReport]] = {}
    for report in reports:
        groups.setdefault(report.machine.identity, []).append(report)
    machines: list[Machine] = []
    for same in groups.values():
        runs = _without_overlap(same)
        machines += [_machine(run, run[0].created if len(runs) > 1 else None) for run in runs]
    return tuple(_with_unique_names(machines))


def by_area(size: Size) -> tuple[int, Size]:
    """Return the sort key that orders sizes by their number of pixels."""
    return (size.height * size.width, size)


def differ(first: Entry, second: Entry) -> bool:
    """Whether two measured cells differ by more than noise; paired where rounds alternated."""
    same_run = first.report is second.report and first.size == second.size
    paired = same_run and first.report.protocol.interleaved
    comparison = compare(first.cell.rounds_ns, second.cell.rounds_ns, paired=paired)
    return comparison.verdict != "cannot be told apart"


def _without_overlap(reports: Sequence[LatencyReport]) -> list[list[LatencyReport]]:
    """Return the reports in groups that hold no cell twice."""
    groups: list[tuple[set[tuple[str, ...]], list[LatencyReport]]] = []
    for report in reports:
        keys = {cell.key for cell in report.cells}
        disjoint = [group for group in groups if not group[0] & keys]
        group_keys, members = disjoint[0] if disjoint else (set[tuple[str, ...]](), [])
        group_keys |= keys
        members.append(report)
        if not disjoint:
            groups.append((group_keys, members))
    return [members for _, members in groups]


def _with_unique_names(machines: Sequence[Machine]) -> Iterator[Machine]:
    names = Counter(machine.name for machine in machines)
    numbers: Counter[str] = Counter()
    for machine in machines:
        numbers[machine.name] += 1
        number = f" ({numbers[machine.name]})" if names[machine.name] > 1 else ""
        name = machine.name + number
        yield Machine(name, machine.reports, machine.entries, alone=len(machines) == 1)


def _machine(reports: Sequence[LatencyReport], when: str | None = None) -> Machine:
    fact = reports[0].machine
    harness = "" if reports[0].harness.name == "desktop" else f" ({reports[0].harness.name})"
    name = short(fact.device or fact.processor or "an unnamed machine", 48) + harness
    if when is not None:
        name += f", {when[:16].replace('T', ' ')}"
    entries: list[Entry] = []
    for report in reports:
        twins: Counter[tuple[str, ...]] = Counter()
        for cell in report.cells:
            summary = summarise(cell.rounds_ns) if cell.status == "measured" else None
            entries.append(Entry(report, cell, summary, twins[cell.key]))
            twins[cell.key] += 1
    return Machine(name, tuple(reports), tuple(entries))


def _distance(entry: Entry, other: Entry) -> tuple[bool, ...]:
    """Return the sort key of fp32 cells by how much their conditions are those of a cell."""
    return (
        other is not entry,
        other.cell.subject.target != entry.cell.subject.target,
        other.cell.requested != entry.cell.requested,
        other.twin != entry.twin,
    )


def _panel_key(entry: Entry) -> tuple[str, str, int]:
    return (entry.cell.subject.network, entry.cell.subject.role.value, entry.cell.batch)
