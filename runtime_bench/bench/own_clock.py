"""Cells of a browser, which keeps its own clock: it is told the protocol and sends its samples.

It takes no turns with other runners: its cells are measured after theirs, and among themselves in
rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, StyleExportError
from styleexport.core.manifest import SizeFact
from styleexport.core.types import Report
from styleexport.runtime_bench.bench import messages as say
from styleexport.runtime_bench.bench.cells import Cell
from styleexport.runtime_bench.bench.protocol import one_line
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.bench.worker import refusal
from styleexport.runtime_bench.latency import CellFact
from styleexport.runtime_bench.runners._choice import RunnerChoice

ONE_PICTURE = say.Refused(status="unavailable", message="a browser takes one picture at a time")


def measure_in_browser(
    cells: Sequence[Cell], request: BenchRequest, report: Report
) -> tuple[CellFact, ...]:
    """Return what a browser measured of each cell, in their order.

    Args:
        cells: of the browser.
        request: how to measure.
        report: is told how far the work is.
    """
    found: dict[int, CellFact] = {}
    alike = sorted(enumerate(cells), key=lambda item: _session(item[1]))
    for (folder, _), group in groupby(alike, key=lambda item: _session(item[1])):
        members = list(group)
        facts = _measured(Path(folder), [cell for _, cell in members], request, report)
        found |= dict(zip((number for number, _ in members), facts, strict=True))
    return tuple(found[number] for number in range(len(cells)))


def _session(cell: Cell) -> tuple[str, str]:
    """What must agree for cells to be measured by one page."""
    return str(cell.artifact), str(cell.choice)


def _measured(
    folder: Path, cells: Sequence[Cell], request: BenchRequest, report: Report
) -> list[CellFact]:
    single = [cell for cell in cells if cell.job.batch == 1]
    sent: dict[tuple[str, SizeFact], CellFact] = {}
    refused = say.Refused(status="failed", message="the browser sent nothing of it")
    if single:
        try:
            sent = _sent(folder, single, request, report)
        except StyleExportError as error:
            refused = refusal(error)
    facts: list[CellFact] = []
    for cell in cells:
        fact = sent.get((cell.subject.path, SizeFact.of(cell.size)))
        if cell.job.batch > 1:
            facts.append(_missing(cell, ONE_PICTURE))
        else:
            facts.append(_missing(cell, refused) if fact is None else _as_asked(fact, cell.choice))
    return facts


def _sent(
    folder: Path, cells: Sequence[Cell], request: BenchRequest, report: Report
) -> dict[tuple[str, SizeFact], CellFact]:
    """Return path and size → what a browser sent.

    Raises:
        DeviceError: no browser, or it did not do its part.
    """
    from styleexport.runtime_bench.runners.browser import RUNNER
    from styleexport.runtime_bench.runners.browser._drive import bench_in_browser
    from styleexport.runtime_bench.runners.browser._job import PagePlanFact

    settings = cells[0].choice.settings
    if reason := RUNNER.unavailable(settings):
        raise DeviceError(reason)
    plan = PagePlanFact(
        rounds=request.rounds,
        seconds=request.seconds,
        min_samples=request.min_samples,
        warm_up_seconds=request.warm_up.limit_seconds,
        seed=request.seed,
        threads=request.threads,
        backend="webgpu" if RUNNER.setting(settings, "backend") == "webgpu" else "wasm",
    )
    wanted = {(cell.subject.path, cell.size) for cell in cells}
    found = bench_in_browser(folder, wanted, plan, report)
    return {(fact.subject.path, fact.size): fact for fact in found.cells}


def _as_asked(fact: CellFact, choice: RunnerChoice) -> CellFact:
    """Return a browser's cell under the name and settings that it was asked for by."""
    requested = dict(choice.settings)
    return msgspec.structs.replace(fact, runner=choice.name, requested=requested)


def _missing(cell: Cell, refused: say.Refused) -> CellFact:
    return CellFact(
        subject=cell.subject,
        runner=cell.choice.name,
        requested=dict(cell.choice.settings),
        size=SizeFact.of(cell.size),
        batch=cell.job.batch,
        status=refused.status,
        message=one_line(refused.message),
    )
