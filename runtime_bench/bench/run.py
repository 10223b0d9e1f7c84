"""Benchmark run: the cells of a request, measured, in a report with the machine's state."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from styleexport.core.build import commit, version
from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.runtime_bench.bench.cells import cells_of
from styleexport.runtime_bench.bench.process import Worker, WorkerProcess
from styleexport.runtime_bench.bench.protocol import Joules, Spawn, measure
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.bench.self_timed import device_reports, measure_self_timed
from styleexport.runtime_bench.bench.timing import CLOCK_NAME
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import CellFact, HarnessFact, LatencyReport
from styleexport.runtime_bench.runners._runner import on_other_machine, remote_runner

COMMAND_LENGTH = 400


def spawn_process(cell: Cell) -> Worker:
    """Return a worker for a cell in a process of its own."""
    return WorkerProcess(cell.threads)


def bench(
    request: BenchRequest, progress: Progress, *, spawn: Spawn = spawn_process
) -> LatencyReport:
    """Return the latency report of all cells of a request, which run on this machine.

    A cell that cannot be measured has the reason in its status and does not affect the others.

    Args:
        request: what to measure, and how.
        progress: receives lines of progress.
        spawn: starts the worker of a cell.

    Raises:
        BadArtifact: a folder is not an artifact.
        UsageError: nothing fits the request, a size, runner or setting does not exist, or a runner
            measures on another machine: use `bench_everywhere`.
    """
    cells = cells_of(request, progress)
    for cell in cells:
        if on_other_machine(cell.choice.name):
            raise UsageError(
                f"{cell.choice} runs on another device, which has a report of its own: type "
                f"`styleexport bench {cell.artifact} --runner {cell.choice}`"
            )
    return _of_this_machine(cells, request, progress, spawn)


def bench_everywhere(
    request: BenchRequest, progress: Progress, *, spawn: Spawn = spawn_process
) -> Generator[LatencyReport]:
    """Yield a latency report per machine: those of phones first, then this machine's.

    A phone that cannot be reached then fails before the desktop has spent its minutes.

    Args:
        request: what to measure, and how.
        progress: receives lines of progress.
        spawn: starts the worker of a cell of this machine.

    Raises:
        DeviceError: a phone cannot be reached or did not do its part.
        UsageError: see `bench`.
    """
    cells = cells_of(request, progress)
    remote = [cell for cell in cells if on_other_machine(cell.choice.name)]
    yield from device_reports(remote, request, progress)
    local = [cell for cell in cells if not on_other_machine(cell.choice.name)]
    if local:
        yield _of_this_machine(local, request, progress, spawn)


def _of_this_machine(
    cells: Sequence[Cell], request: BenchRequest, progress: Progress, spawn: Spawn
) -> LatencyReport:
    from styleexport.runtime_bench.machine import environment, peak_macs

    created = datetime.now(UTC)
    before = environment.state()
    for warning in environment.warnings(before):
        progress(f"note: {warning}")
    peak = peak_macs.peak(request.used_threads) if request.peak else None
    facts = _measured(cells, request, spawn, before.free_memory_bytes, progress)
    resolution_ns = time.get_clock_info(CLOCK_NAME).resolution * 1e9
    return LatencyReport(
        schema_version=1,
        harness=HarnessFact(name="desktop", version=version(), commit=commit()),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=request.command[:COMMAND_LENGTH],
        machine=environment.machine(),
        before=before,
        after=environment.state(),
        protocol=request.plan.protocol(CLOCK_NAME, resolution_ns),
        peak=peak,
        cells=facts,
    )


def _measured(
    cells: Sequence[Cell],
    request: BenchRequest,
    spawn: Spawn,
    free_bytes: int | None,
    progress: Progress,
) -> tuple[CellFact, ...]:
    """Return the measured cells in their order; self-timed runners are measured last."""
    self_timed = [remote_runner(cell.choice.name) is not None for cell in cells]
    ours = [cell for cell, remote in zip(cells, self_timed, strict=True) if not remote]
    theirs = [cell for cell, remote in zip(cells, self_timed, strict=True) if remote]
    measured = iter(measure(ours, request, spawn, _joules(ours), free_bytes, progress))
    sent = iter(measure_self_timed(theirs, request, progress))
    return tuple(next(sent if remote else measured) for remote in self_timed)


def _joules(cells: Sequence[Cell]) -> Joules:
    """Return a reader of the energy used so far; it returns None where none is reported."""
    from styleexport.runtime_bench.machine import energy

    meter = energy.meter(cuda=any(cell.choice.settings.get("device") == "cuda" for cell in cells))
    return (lambda: None) if meter is None else meter.joules
