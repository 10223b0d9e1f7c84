"""Cells of self-timed runners: they get the plan and send their samples.

They take no turns with other runners: a browser's cells are measured after the desktop's, a phone's
before them, each in rounds among themselves.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, StyleExportError, UsageError
from styleexport.core.manifest import SizeFact
from styleexport.core.types import Progress
from styleexport.runtime_bench.bench import messages
from styleexport.runtime_bench.bench.lease import leased, words_of
from styleexport.runtime_bench.bench.protocol import one_line
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.bench.worker import refusal
from styleexport.runtime_bench.contract.cell import Cell, cell_key
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport
from styleexport.runtime_bench.contract.remote import MeasureRequest, joined
from styleexport.runtime_bench.runners._runner import remote_runner


@dataclass(frozen=True)
class _Group:
    """Cells of one artifact on one runner, by their number in the request."""

    runner: str
    artifact: Path
    cells: Mapping[int, Cell]

    @property
    def single(self) -> list[Cell]:
        """Cells of one picture per inference; such runners support no others."""
        return [cell for cell in self.cells.values() if cell.batch == 1]


def measure_self_timed(
    cells: Sequence[Cell], request: BenchRequest, progress: Progress
) -> tuple[CellFact, ...]:
    """Return the cells that self-timed runners measured on this machine, in their order.

    Args:
        cells: cells of self-timed runners.
        request: how to measure.
        progress: receives lines of progress.
    """
    facts: dict[int, CellFact] = {}
    for group in _groups(cells):
        try:
            facts |= _facts(group, _report(group, request, progress))
        except StyleExportError as error:
            refused = refusal(error)
            facts |= {number: _missing(cell, refused) for number, cell in group.cells.items()}
    return tuple(facts[number] for number in range(len(cells)))


def device_reports(
    cells: Sequence[Cell], request: BenchRequest, progress: Progress
) -> Generator[LatencyReport]:
    """Yield the report of each device on which cells are to be measured.

    Args:
        cells: cells of runners on another machine.
        request: how to measure.
        progress: receives lines of progress.

    Raises:
        DeviceError: a device cannot be acquired or reached, or supports none of the cells.
        UsageError: a device is to be leased, and not one runner takes it.
    """
    groups = _groups(cells)
    runners = tuple(dict.fromkeys(group.runner for group in groups))
    _check_lease(runners, request.device.lease)
    for runner in runners:
        own = [group for group in groups if group.runner == runner]
        lease = request.device.lease if _is_leasable(runner) else None
        # Nothing is yielded while the device is held: the caller's errors cannot keep it.
        with leased(lease, progress) as serial:
            reports = [_device_report(group, _on(request, serial), progress) for group in own]
        yield joined(reports)


def _check_lease(runners: Sequence[str], lease: str | None) -> None:
    """Check that a lease is for one runner.

    Raises:
        UsageError: it is for none, or for several.
    """
    if lease is None:
        return
    words_of(lease)
    takers = [runner for runner in runners if _is_leasable(runner)]
    if len(takers) != 1:
        raise UsageError(
            f"--lease acquires one phone, and {' and '.join(takers) or 'no runner'} would take it: "
            "type --runner android or --runner ios"
        )


def _is_leasable(name: str) -> bool:
    runner = remote_runner(name)
    return runner is not None and runner.leasable


def _on(request: BenchRequest, serial: str | None) -> BenchRequest:
    """Return a request for the device of a serial number; None keeps its own."""
    if serial is None:
        return request
    return replace(request, device=replace(request.device, serial=serial))


def _device_report(group: _Group, request: BenchRequest, progress: Progress) -> LatencyReport:
    """Return the report of a device, with a fact for each cell of a group.

    Raises:
        DeviceError: the device cannot be reached, or supports none of the cells.
    """
    report = _report(group, request, progress)
    if report is None:
        raise DeviceError(_one_picture(group.runner))
    return msgspec.structs.replace(report, cells=tuple(_facts(group, report).values()))


def _groups(cells: Sequence[Cell]) -> list[_Group]:
    groups: dict[tuple[str, Path], dict[int, Cell]] = {}
    for number, cell in enumerate(cells):
        groups.setdefault((cell.choice.name, cell.artifact), {})[number] = cell
    return [_Group(runner, artifact, members) for (runner, artifact), members in groups.items()]


def _report(group: _Group, request: BenchRequest, progress: Progress) -> LatencyReport | None:
    """Return the report of a group; None where the runner supports none of its cells.

    Raises:
        DeviceError: the device cannot be reached, or did not do its part.
    """
    runner = remote_runner(group.runner)
    assert runner is not None, f"{group.runner} does not time itself"
    for cell in group.single:
        if reason := runner.unavailable(cell.choice.settings):
            raise DeviceError(reason)
    if not group.single:
        return None
    measure_request = MeasureRequest(
        group.artifact, group.single, request.plan, request.command, request.device
    )
    return runner.measure(measure_request, progress)


def _facts(group: _Group, report: LatencyReport | None) -> dict[int, CellFact]:
    """Return the fact of each cell of a group: as reported, or with the reason that it is not."""
    reported = {
        cell_key(fact.subject, fact.size.size(), fact.requested): fact
        for fact in (report.cells if report else ())
    }
    nothing = messages.Refused(status="failed", message=f"{group.runner} sent nothing of it")
    several = messages.Refused(status="unavailable", message=_one_picture(group.runner))
    facts: dict[int, CellFact] = {}
    for number, cell in group.cells.items():
        if cell.batch > 1:
            facts[number] = _missing(cell, several)
        else:
            facts[number] = reported.get(cell.key) or _missing(cell, nothing)
    return facts


def _one_picture(runner: str) -> str:
    return f"{runner} takes one picture at a time; type --batch 1"


def _missing(cell: Cell, refused: messages.Refused) -> CellFact:
    return CellFact(
        subject=cell.subject,
        runner=cell.choice.name,
        requested=dict(cell.choice.settings),
        size=SizeFact.of(cell.size),
        batch=cell.batch,
        status=refused.status,
        message=one_line(refused.message),
    )
