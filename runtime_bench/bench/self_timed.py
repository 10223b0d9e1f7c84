"""Cells of runners that keep their own clock: they are told the protocol and send their samples.

They take no turns with other runners: a browser's cells are measured after those of the desktop,
those of a phone before them, and among themselves in rounds.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, StyleExportError
from styleexport.core.manifest import SizeFact
from styleexport.core.types import Progress
from styleexport.runtime_bench.bench import messages
from styleexport.runtime_bench.bench.cells import Cell
from styleexport.runtime_bench.bench.protocol import one_line
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.bench.worker import refusal
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport
from styleexport.runtime_bench.contract.remote import AskedCell, MeasureRequest, joined
from styleexport.runtime_bench.runners._runner import find_runner


@dataclass(frozen=True)
class _Group:
    """The cells of one artifact on one runner, by their number in the request."""

    runner: str
    artifact: Path
    cells: Mapping[int, Cell]

    @property
    def single(self) -> list[Cell]:
        """Those of one picture at once: no more is asked of such a runner."""
        return [cell for cell in self.cells.values() if cell.job.batch == 1]


def measure_by_own_clock(
    cells: Sequence[Cell], request: BenchRequest, progress: Progress
) -> tuple[CellFact, ...]:
    """Return what each cell's runner measured of it, on this machine, in the order of the cells.

    Args:
        cells: of runners with a clock of their own.
        request: how to measure.
        progress: is told how far the work is.
    """
    found: dict[int, CellFact] = {}
    for group in _groups(cells):
        try:
            found |= _placed(group, _sent(group, request, progress))
        except StyleExportError as error:
            refused = refusal(error)
            found |= {number: _missing(cell, refused) for number, cell in group.cells.items()}
    return tuple(found[number] for number in range(len(cells)))


def reports_of_devices(
    cells: Sequence[Cell], request: BenchRequest, progress: Progress
) -> Generator[LatencyReport]:
    """Yield the report of each device that cells are to be measured on.

    Args:
        cells: of runners that are elsewhere.
        request: how to measure.
        progress: is told how far the work is.

    Raises:
        DeviceError: a device cannot be reached: there is nothing to be said of it.
    """
    groups = _groups(cells)
    for runner in dict.fromkeys(group.runner for group in groups):
        found: list[LatencyReport] = []
        for group in groups:
            if group.runner == runner:
                sent = _sent(group, request, progress)
                if sent is None:
                    raise DeviceError(_one_picture(runner))
                placed = tuple(_placed(group, sent).values())
                found.append(msgspec.structs.replace(sent, cells=placed))
        yield joined(found)


def _groups(cells: Sequence[Cell]) -> list[_Group]:
    found: dict[tuple[str, Path], dict[int, Cell]] = {}
    for number, cell in enumerate(cells):
        found.setdefault((cell.choice.name, cell.artifact), {})[number] = cell
    return [_Group(runner, artifact, members) for (runner, artifact), members in found.items()]


def _sent(group: _Group, request: BenchRequest, progress: Progress) -> LatencyReport | None:
    """Return what a runner measured of one artifact; None where it can take none of the cells.

    Raises:
        DeviceError: it cannot be reached, or did not do its part.
    """
    runner = find_runner(group.runner)
    asked = [_asked(cell) for cell in group.single]
    for cell in asked:
        if reason := runner.unavailable(cell.settings):
            raise DeviceError(reason)
    if not asked:
        return None
    ask = MeasureRequest(group.artifact, asked, plan_of(request), request.command, request.device)
    return runner.measure(ask, progress)


def plan_of(request: BenchRequest) -> PlanFact:
    """Return how a request is measured by who keeps a clock of its own."""
    return PlanFact(
        rounds=request.rounds,
        seconds=request.seconds,
        min_samples=request.min_samples,
        window=request.warm_up.window,
        tolerance=request.warm_up.tolerance,
        warm_up_least_seconds=request.warm_up.least_seconds,
        warm_up_seconds=request.warm_up.limit_seconds,
        seed=request.seed,
        threads=request.threads,
    )


def _asked(cell: Cell) -> AskedCell:
    return AskedCell(cell.subject.path, cell.size, cell.choice.settings)


def _placed(group: _Group, sent: LatencyReport | None) -> dict[int, CellFact]:
    """Return the fact of each cell of a group: what was sent, or why there is none."""
    facts = {
        AskedCell(fact.subject.path, fact.size.size(), fact.requested).key: fact
        for fact in (sent.cells if sent else ())
    }
    nothing = messages.Refused(status="failed", message=f"{group.runner} sent nothing of it")
    several = messages.Refused(status="unavailable", message=_one_picture(group.runner))
    found: dict[int, CellFact] = {}
    for number, cell in group.cells.items():
        if cell.job.batch > 1:
            found[number] = _missing(cell, several)
        else:
            found[number] = facts.get(_asked(cell).key) or _missing(cell, nothing)
    return found


def _one_picture(runner: str) -> str:
    return f"{runner} takes one picture at a time; type --batch 1"


def _missing(cell: Cell, refused: messages.Refused) -> CellFact:
    return CellFact(
        subject=cell.subject,
        runner=cell.choice.name,
        requested=dict(cell.choice.settings),
        size=SizeFact.of(cell.size),
        batch=cell.job.batch,
        status=refused.status,
        message=one_line(refused.message),
    )
