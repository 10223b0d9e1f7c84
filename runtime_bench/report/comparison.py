"""Two latency reports against each other, cell by cell: what became slower, larger or wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport, Status
from styleexport.runtime_bench.stats import Comparison, compare

# Beyond, an 8-bit picture does not show it.
SEEN_DB = 60.0
# What a runtime reports that says how a run went, and not how it was set.
OF_THE_RUN = ("warm after",)
MACHINE = ("device", "system", "processor", "cores")


Attribute = Literal["precision", "runner"]
COMPARED_BY: tuple[Attribute, ...] = get_args(Attribute)
# What `CellFact.key` holds, in its order.
ATTRIBUTES = ("network", "target", "precision", "role", "size", "batch", "runner")


@dataclass(frozen=True)
class CellComparison:
    """One cell of two reports.

    Attributes:
        network: name.
        target: format of the file.
        precision: of the file.
        role: what it computes.
        size: of the picture.
        batch: pictures at once.
        runner: with what was asked of it.
        before: status in the first report; None where it has no such cell.
        after: status in the second.
        latency: None unless both were measured.
        differences: what else the two cells differ in, in words.
        regressions: what became worse by more than is allowed, in words.
    """

    network: str
    target: str
    precision: str
    role: str
    size: str
    batch: int
    runner: str
    before: Status | None
    after: Status | None
    latency: Comparison | None
    differences: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The cell in words."""
        batch = f" batch {self.batch}" if self.batch > 1 else ""
        file = f"{self.network} {self.role} {self.size} {self.precision} {self.target}"
        return f"{file}{batch} on {self.runner}"


@dataclass(frozen=True)
class WithinComparison:
    """Two cells of one report.

    Attributes:
        first: the attribute that they differ in, of the cell that is compared with.
        second: the same, of the other.
        cells: what they differ in.
    """

    first: str
    second: str
    cells: CellComparison


def compare_reports(
    before: LatencyReport,
    after: LatencyReport,
    *,
    fail_above: float | None = None,
    across_machines: bool = False,
) -> tuple[CellComparison, ...]:
    """Return the cells of two reports, compared; those that only one has come last.

    The reports were made one after the other, so rounds are not paired.

    Args:
        before: what was.
        after: what is.
        fail_above: how much slower, larger or further from the float network a cell may become,
            0.1 is 10 %; None allows everything.
        across_machines: whether reports of different machines may be compared.

    Raises:
        UsageError: they are of different machines, or have no cell in common.
    """
    if not across_machines:
        _check_machines(before, after)
    cells_before, cells_after = _numbered(before.cells), _numbered(after.cells)
    common = [key for key in cells_before if key in cells_after]
    if not common:
        raise UsageError(
            f"the reports have no cell in common: the first holds {_names(before)}, the second "
            f"{_names(after)}; measure the same files on the same runners at the same sizes"
        )
    found = [
        compare_cells(cells_before[key], cells_after[key], fail_above=fail_above) for key in common
    ]
    gone = [cell for key, cell in cells_before.items() if key not in cells_after]
    new = [cell for key, cell in cells_after.items() if key not in cells_before]
    return (
        *found,
        *(_alone(cell, cell.status, None) for cell in gone),
        *(_alone(cell, None, cell.status) for cell in new),
    )


def compare_within(report: LatencyReport, by: Attribute) -> tuple[WithinComparison, ...]:
    """Return the cells of one report against others that differ from them in one attribute.

    The first of each group, in the order of the request, is the one that the others are compared
    with; cells that took turns, round by round.

    Args:
        report: with cells to compare.
        by: the attribute.

    Raises:
        UsageError: no two cells differ in that alone.
    """
    groups: dict[tuple[str, ...], list[CellFact]] = {}
    place = ATTRIBUTES.index(by)
    for cell in report.cells:
        if cell.status == "measured":
            rest = (*cell.key[:place], *cell.key[place + 1 :])
            groups.setdefault(rest, []).append(cell)
    paired = report.protocol.interleaved
    found = tuple(
        WithinComparison(
            first.key[place],
            other.key[place],
            compare_cells(
                first, other, paired=paired and len(first.rounds_ns) == len(other.rounds_ns)
            ),
        )
        for first, *others in groups.values()
        for other in others
        if other.key[place] != first.key[place]
    )
    if not found:
        raise UsageError(
            f"no two measured cells of the report differ in their {by} alone: measure several in "
            f"one run, or compare by {' or '.join(a for a in COMPARED_BY if a != by)}"
        )
    return found


def compare_cells(
    before: CellFact, after: CellFact, *, paired: bool = False, fail_above: float | None = None
) -> CellComparison:
    """Return what two cells differ in.

    Args:
        before: the one that the other is compared with; it gives the name.
        after: the other.
        paired: whether they took turns in the rounds of one report.
        fail_above: see `compare_reports`.
    """
    measured = before.status == after.status == "measured"
    latency = compare(before.rounds_ns, after.rounds_ns, paired=paired) if measured else None
    worse = _regressions(before, after, latency, fail_above) if fail_above is not None else ()
    told = tuple(_differences(before, after))
    return _named(before, before.status, after.status, latency, told, tuple(worse))


def notes(before: LatencyReport, after: LatencyReport) -> tuple[str, ...]:
    """Return what may part two reports besides the files, one line each."""
    pairs = [
        ("harness version", before.harness.version, after.harness.version),
        ("number of rounds", before.protocol.rounds, after.protocol.rounds),
        ("time of a turn", before.protocol.seconds, after.protocol.seconds),
        ("interleaved", before.protocol.interleaved, after.protocol.interleaved),
        ("a process for each cell", before.protocol.own_process, after.protocol.own_process),
        ("clock", before.protocol.clock, after.protocol.clock),
        ("governor", before.before.governor, after.before.governor),
        ("charging", before.before.charging, after.before.charging),
        ("low power mode", before.before.low_power, after.before.low_power),
        *zip(MACHINE, before.machine.identity, after.machine.identity, strict=True),
    ]
    versions, others = before.machine.versions, after.machine.versions
    for name in sorted({*versions, *others}):
        pairs.append((name, versions.get(name, "not there"), others.get(name, "not there")))
    parted = [
        f"{name} differs: {_told(first)}, then {_told(second)}"
        for name, first, second in pairs
        if first != second
    ]
    return (*_busy("first", before), *_busy("second", after), *parted)


def _busy(which: str, report: LatencyReport) -> Iterator[str]:
    load, cores = report.before.load_average, report.machine.cores
    if load is not None and load > cores / 2:
        yield (
            f"the {which} report was measured on a busy machine, load {load:.1f} on {cores} cores: "
            "trust no difference of it"
        )


def _told(value: object) -> str:
    return "not told" if value is None else str(value)


def regressions(found: Sequence[CellComparison]) -> tuple[str, ...]:
    """Return every regression of a comparison, with the name of its cell."""
    return tuple(f"{cell.name}: {words}" for cell in found for words in cell.regressions)


def _check_machines(before: LatencyReport, after: LatencyReport) -> None:
    pairs = zip(MACHINE, before.machine.identity, after.machine.identity, strict=True)
    parted = [
        f"{name} {first!r} and {second!r}" for name, first, second in pairs if first != second
    ]
    if parted:
        raise UsageError(
            f"the reports are of different machines: {', '.join(parted)}; a difference would say "
            "nothing of the files: measure on one machine, or add --across-machines"
        )


def _numbered(cells: Sequence[CellFact]) -> dict[tuple[str, ...], CellFact]:
    """Return the cells by key; the second of a key (of another artifact) is matched with a second.

    A report of two artifacts of one network holds every key twice, in the order of the request.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    found: dict[tuple[str, ...], CellFact] = {}
    for cell in cells:
        found[*cell.key, str(seen[cell.key])] = cell
        seen[cell.key] += 1
    return found


def _names(report: LatencyReport) -> str:
    cells = [_alone(cell, None, None).name for cell in report.cells]
    return cells[0] if len(cells) == 1 else f"{cells[0]} and {len(cells) - 1} more"


def _alone(cell: CellFact, before: Status | None, after: Status | None) -> CellComparison:
    words = f"in the {'first' if after is None else 'second'} report only"
    return _named(cell, before, after, None, (words,), ())


def _named(
    cell: CellFact,
    before: Status | None,
    after: Status | None,
    latency: Comparison | None,
    differences: tuple[str, ...],
    worse: tuple[str, ...],
) -> CellComparison:
    network, target, precision, role, size, batch, runner = cell.key
    return CellComparison(
        network=network,
        target=target,
        precision=precision,
        role=role,
        size=size,
        batch=int(batch),
        runner=runner,
        before=before,
        after=after,
        latency=latency,
        differences=differences,
        regressions=worse,
    )


def _differences(before: CellFact, after: CellFact) -> Iterator[str]:
    first, second = before.subject, after.subject
    if first.source_sha256 != second.source_sha256:
        yield "other weights"
    elif first.sha256 != second.sha256:
        yield "another file"
    for name in sorted({*before.effective, *after.effective} - {*OF_THE_RUN}):
        was, now = before.effective.get(name, "?"), after.effective.get(name, "?")
        if was != now:
            yield f"{name} {was}, then {now}"
    if before.status != after.status:
        why = f": {after.message}" if after.message else ""
        yield f"{before.status}, then {after.status}{why}"


def _regressions(
    before: CellFact, after: CellFact, latency: Comparison | None, allowed: float
) -> Iterator[str]:
    limit = f"at most {percent(1 + allowed)} allowed"
    if before.status == "measured" != after.status:
        yield f"it was measured, now it is {after.status}"
    if latency is not None and latency.verdict == "slower" and latency.ratio > 1 + allowed:
        interval = f"{percent(latency.low)} to {percent(latency.high)}"
        yield f"time {percent(latency.ratio)} ({interval}), {limit}"
    size = after.subject.size_bytes / max(before.subject.size_bytes, 1)
    if size > 1 + allowed:
        yield f"size of the file {percent(size)}, {limit}"
    yield from _lost_quality(before, after, allowed)


def _lost_quality(before: CellFact, after: CellFact, allowed: float) -> Iterator[str]:
    """Say where the error, or the distance to the style, grew by more than is allowed."""
    was, now = before.subject.quality_db, after.subject.quality_db
    if was is not None and now is not None and now < SEEN_DB:
        error = 10 ** ((min(was, SEEN_DB) - max(now, 0.0)) / 20)
        if error > 1 + allowed:
            yield f"quality fell from {was:.1f} to {now:.1f} dB, the error grew {percent(error)}"
    was, now = before.subject.style_change, after.subject.style_change
    if was is not None and now is not None and now > -1:
        style = (1 + now) / max(1 + was, 1e-6)
        if style > 1 + allowed:
            yield f"the distance to the style grew {percent(style)}"


def percent(ratio: float) -> str:
    """Return how much more a ratio is than 1, signed: ``+15.0 %``."""
    return f"{100 * (ratio - 1):+.1f} %"
