"""From a request to the report: the cells, the machine around them, and what was measured."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from styleexport.core.build import commit, version
from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.runtime_bench.bench.cells import Cell, cells_of
from styleexport.runtime_bench.bench.process import Worker, WorkerProcess
from styleexport.runtime_bench.bench.protocol import Joules, Spawn, measure
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.bench.self_timed import measure_by_own_clock, reports_of_devices
from styleexport.runtime_bench.bench.timing import CLOCK_NAME, SETTLING_RUNS
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    ProtocolFact,
)
from styleexport.runtime_bench.runners._runner import find_runner

COMMAND_LENGTH = 400


def spawn_process(cell: Cell) -> Worker:
    """Return a worker for a cell in a process of its own."""
    return WorkerProcess(cell.job.threads)


def bench(
    request: BenchRequest, progress: Progress, *, spawn: Spawn = spawn_process
) -> LatencyReport:
    """Return the latency report of every cell of a request that runs on this machine.

    A cell that cannot be measured says so in its status and stops nothing else.

    Args:
        request: what to measure, and how.
        progress: is told how far the work is.
        spawn: starts the worker of a cell.

    Raises:
        BadArtifact: a folder is not an artifact.
        UsageError: nothing fits the request, a size, runner or setting does not exist, or a runner
            is on another device: `bench_everywhere` measures those.
    """
    cells = cells_of(request, progress)
    for cell in cells:
        if _is_elsewhere(cell):
            raise UsageError(
                f"{cell.choice} runs on another device, which has a report of its own: type "
                f"`styleexport bench {cell.artifact} --runner {cell.choice}`"
            )
    return _of_this_machine(cells, request, progress, spawn)


def bench_everywhere(
    request: BenchRequest, progress: Progress, *, spawn: Spawn = spawn_process
) -> Generator[LatencyReport]:
    """Yield a latency report a machine: those of phones first, then this machine's.

    A phone that cannot be reached is known before the minutes that the desktop takes.

    Args:
        request: what to measure, and how.
        progress: is told how far the work is.
        spawn: starts the worker of a cell of this machine.

    Raises:
        DeviceError: a phone cannot be reached or did not do its part.
        UsageError: see `bench`.
    """
    cells = cells_of(request, progress)
    theirs = [cell for cell in cells if _is_elsewhere(cell)]
    yield from reports_of_devices(theirs, request, progress)
    ours = [cell for cell in cells if not _is_elsewhere(cell)]
    if ours:
        yield _of_this_machine(ours, request, progress, spawn)


def _is_elsewhere(cell: Cell) -> bool:
    return find_runner(cell.choice.name).elsewhere


def _of_this_machine(
    cells: Sequence[Cell], request: BenchRequest, progress: Progress, spawn: Spawn
) -> LatencyReport:
    from styleexport.runtime_bench.machine import environment
    from styleexport.runtime_bench.machine import peak_macs as machine_peak

    created = datetime.now(UTC)
    before = environment.state()
    for warning in environment.warnings(before):
        progress(f"note: {warning}")
    peak = machine_peak.peak(request.used_threads) if request.peak else None
    facts = _measured(cells, request, spawn, before.free_memory_bytes, progress)
    return LatencyReport(
        schema_version=1,
        harness=HarnessFact(name="desktop", version=version(), commit=commit()),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=request.command[:COMMAND_LENGTH],
        machine=environment.machine(),
        before=before,
        after=environment.state(),
        protocol=protocol_of(request),
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
    """Return the cells measured in their order; runners with a clock of their own come last."""
    ours = [cell for cell in cells if not find_runner(cell.choice.name).own_clock]
    theirs = [cell for cell in cells if find_runner(cell.choice.name).own_clock]
    found = iter(measure(ours, request, spawn, _joules(ours), free_bytes, progress))
    sent = iter(measure_by_own_clock(theirs, request, progress))
    return tuple(next(sent if find_runner(cell.choice.name).own_clock else found) for cell in cells)


def protocol_of(request: BenchRequest) -> ProtocolFact:
    """Return how a request is measured."""
    return ProtocolFact(
        rounds=request.rounds,
        seconds=request.seconds,
        min_samples=request.min_samples,
        warm_up=f"{request.warm_up}; {SETTLING_RUNS} runs untimed before each turn",
        interleaved=True,
        own_process=True,
        clock=CLOCK_NAME,
        clock_resolution_ns=time.get_clock_info(CLOCK_NAME).resolution * 1e9,
    )


def _joules(cells: Sequence[Cell]) -> Joules:
    """Return what reads the energy used so far: None where the machine does not tell."""
    from styleexport.runtime_bench.machine import energy

    meter = energy.meter(cuda=any(cell.job.settings.get("device") == "cuda" for cell in cells))
    return (lambda: None) if meter is None else meter.joules
