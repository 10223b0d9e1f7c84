"""Comparison of latency reports cell by cell: of two reports, or of the cells within one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport, Status
from styleexport.runtime_bench.report.conditions import check_same_machine
from styleexport.runtime_bench.report.regressions import regressions_of
from styleexport.runtime_bench.stats import LatencyComparison, compare

# Settings that runtimes report of the run itself, not of how it was configured.
RUN_OUTCOMES = ("warm after",)

Attribute = Literal["precision", "runner"]
COMPARED_BY: tuple[Attribute, ...] = get_args(Attribute)
# Names of the parts of `CellFact.key`, in its order.
ATTRIBUTES = ("network", "target", "precision", "role", "size", "batch", "runner")


@dataclass(frozen=True)
class CellComparison:
    """One cell of two reports.

    Attributes:
        network: name of the network.
        target: format of the file.
        precision: precision of the file.
        role: role of the file.
        size: size of the picture, ``HEIGHTxWIDTH``.
        batch: number of pictures per inference.
        runner: runner with its settings.
        before: status in the first report; None where it has no such cell.
        after: status in the second report; None where it has no such cell.
        latency: comparison of the samples; None unless both were measured.
        differences: other differences of the two cells, one sentence each.
        regressions: figures that became worse by more than is allowed, one sentence each.
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
    latency: LatencyComparison | None
    differences: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File, size and runner of the cell."""
        batch = f" batch {self.batch}" if self.batch > 1 else ""
        file = f"{self.network} {self.role} {self.size} {self.precision} {self.target}"
        return f"{file}{batch} on {self.runner}"


@dataclass(frozen=True)
class WithinComparison:
    """Two cells of one report that differ in one attribute.

    Attributes:
        first: value of the attribute in the baseline cell.
        second: value of the attribute in the other cell.
        cells: comparison of the two.
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
    """Return the comparisons of all cells of two reports; cells of one report alone come last.

    The reports were made one after the other, so rounds are not paired.

    Args:
        before: baseline report.
        after: report to compare with it.
        fail_above: largest relative growth of time, file size or error that is no regression, 0.1
            is 10 %; None allows everything.
        across_machines: whether reports of different machines may be compared.

    Raises:
        UsageError: they are of different machines, or have no cell in common.
    """
    if not across_machines:
        check_same_machine(before, after)
    cells_before, cells_after = by_key(before.cells), by_key(after.cells)
    common = [key for key in cells_before if key in cells_after]
    if not common:
        raise UsageError(
            f"the reports have no cell in common: the first holds {_names(before)}, the second "
            f"{_names(after)}; measure the same files on the same runners at the same sizes"
        )
    removed = [cell for key, cell in cells_before.items() if key not in cells_after]
    added = [cell for key, cell in cells_after.items() if key not in cells_before]
    return (
        *(
            compare_cells(cells_before[key], cells_after[key], fail_above=fail_above)
            for key in common
        ),
        *(_unmatched(cell, cell.status, None) for cell in removed),
        *(_unmatched(cell, None, cell.status) for cell in added),
    )


def compare_within(report: LatencyReport, by: Attribute) -> tuple[WithinComparison, ...]:
    """Return the comparisons of cells of one report that differ in one attribute.

    The first cell of each group, in the order of the request, is the baseline. Cells whose rounds
    alternated are compared round by round.

    Args:
        report: report with measured cells.
        by: attribute in which the cells differ.

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
    result = tuple(
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
    if not result:
        raise UsageError(
            f"no two measured cells of the report differ in their {by} alone: measure several in "
            f"one run, or compare by {' or '.join(a for a in COMPARED_BY if a != by)}"
        )
    return result


def compare_cells(
    before: CellFact, after: CellFact, *, paired: bool = False, fail_above: float | None = None
) -> CellComparison:
    """Return the comparison of two cells.

    Args:
        before: baseline, which gives the name.
        after: cell to compare with it.
        paired: whether their rounds alternated within one report.
        fail_above: see `compare_reports`.
    """
    measured = before.status == after.status == "measured"
    latency = compare(before.rounds_ns, after.rounds_ns, paired=paired) if measured else None
    return _comparison(
        before,
        (before.status, after.status),
        latency,
        tuple(_differences(before, after)),
        () if fail_above is None else tuple(regressions_of(before, after, latency, fail_above)),
    )


def regressions(comparisons: Sequence[CellComparison]) -> tuple[str, ...]:
    """Return every regression of some comparisons, with the name of its cell."""
    return tuple(f"{cell.name}: {line}" for cell in comparisons for line in cell.regressions)


def by_key(cells: Sequence[CellFact]) -> dict[tuple[str, ...], CellFact]:
    """Return the cells by key and, where several have one key, by their number.

    A report of two artifacts of one network holds every key twice, in the order of the request.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    result: dict[tuple[str, ...], CellFact] = {}
    for cell in cells:
        result[*cell.key, str(counts[cell.key])] = cell
        counts[cell.key] += 1
    return result


def _names(report: LatencyReport) -> str:
    cells = [_unmatched(cell, None, None).name for cell in report.cells]
    return cells[0] if len(cells) == 1 else f"{cells[0]} and {len(cells) - 1} more"


def _unmatched(cell: CellFact, before: Status | None, after: Status | None) -> CellComparison:
    difference = f"in the {'first' if after is None else 'second'} report only"
    return _comparison(cell, (before, after), None, (difference,), ())


def _comparison(
    cell: CellFact,
    statuses: tuple[Status | None, Status | None],
    latency: LatencyComparison | None,
    differences: tuple[str, ...],
    regressions: tuple[str, ...],
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
        before=statuses[0],
        after=statuses[1],
        latency=latency,
        differences=differences,
        regressions=regressions,
    )


def _differences(before: CellFact, after: CellFact) -> Iterator[str]:
    first, second = before.subject, after.subject
    if first.source_sha256 != second.source_sha256:
        yield "other weights"
    elif first.sha256 != second.sha256:
        yield "another file"
    for name in sorted({*before.effective, *after.effective} - {*RUN_OUTCOMES}):
        old, new = before.effective.get(name, "?"), after.effective.get(name, "?")
        if old != new:
            yield f"{name} {old}, then {new}"
    if before.status != after.status:
        reason = f": {after.message}" if after.message else ""
        yield f"{before.status}, then {after.status}{reason}"
