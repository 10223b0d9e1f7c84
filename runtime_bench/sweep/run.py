"""From a plan to a table: everything is exported in parallel, then measured, one cell a host.

Nothing is exported on a host while it measures: the two are phases, and a lock of the host holds
them apart between sweeps too. Cells of one network stay on one host, as long as it lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Progress, Size
from styleexport.runtime_bench.contract.latency import report_from_json
from styleexport.runtime_bench.runners._choice import parse_runner
from styleexport.runtime_bench.sweep.engine import Engine, TaskResult, cluster
from styleexport.runtime_bench.sweep.host_lock import host_lock
from styleexport.runtime_bench.sweep.plan import (
    ALL,
    PlannedArtifact,
    SweepCell,
    SweepPlan,
    exports_of,
    runners_of,
)
from styleexport.runtime_bench.sweep.table import Status, SweepRow, Table, open_table, row_of

# What dask sets for its workers, and what would change how fast their children are.
UNWANTED = ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# Writes the artifact of an export into a folder. It is sent to other processes.
Exporter = Callable[[PlannedArtifact, Path], None]
# Returns the latency report of a cell as JSON, given the artifact's folder.
Measurer = Callable[[SweepCell, Path], bytes]


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep, and where.

    Attributes:
        plan: the sweep.
        folder: that the files it names lie below.
        out: the table.
        suffixes: target → what its files end in.
        restart: whether to forget what an earlier run found.
        workers: processes of a cluster on this machine.
        scheduler: of another cluster; its hosts must see the folders of this one.
    """

    plan: SweepPlan
    folder: Path
    out: Path
    suffixes: Mapping[str, str]
    restart: bool = False
    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"--workers is {self.workers}: it must be 1 or more; type --workers 1")

    @property
    def artifacts(self) -> Path:
        """Where the artifacts are kept."""
        return self.out.resolve().with_name(f"{self.out.stem}-artifacts")


def cells_of(request: SweepRequest) -> tuple[SweepCell, ...]:
    """Return the cells of a sweep, each once.

    Raises:
        BadCheckpoint: a file that the plan names is not there.
        UsageError: an unknown target, or a runner that reads none of the files.
    """
    for recipe in request.plan.recipes:
        if recipe.target not in request.suffixes:
            known = ", ".join(sorted(request.suffixes))
            raise UsageError(f"unknown target {recipe.target!r}: expected one of {known}")
    found = [
        SweepCell(export, runner, request.plan)
        for export in exports_of(request.plan, request.folder)
        for runner in runners_of(request.plan, export, request.suffixes)
    ]
    idle = set(request.plan.runners) - {cell.runner for cell in found}
    if idle:
        raise UsageError(
            f"runner {min(idle)} reads no file of this sweep: add a recipe with a target that it "
            "reads, or leave it out"
        )
    return tuple({cell.key: cell for cell in found}.values())


def current_rows(request: SweepRequest) -> tuple[SweepRow, ...]:
    """Return the rows of a sweep as they are now: what an earlier run found, and what waits.

    Nothing is written.

    Raises:
        BadArtifact: what is at ``out`` is not the table of a sweep.
        UsageError: see `cells_of`.
    """
    known: dict[str, SweepRow] = {}
    if request.out.exists() and not request.restart:
        with open_table(request.out) as table:
            known = {row.key: row for row in table.rows()}
    return tuple(known.get(cell.key) or row_of(cell) for cell in cells_of(request))


def sweep(
    request: SweepRequest, export: Exporter, progress: Progress, *, measure: Measurer | None = None
) -> tuple[SweepRow, ...]:
    """Export and measure what an earlier run has not, and return the rows of this sweep.

    Args:
        request: what to sweep.
        export: makes an artifact.
        progress: is told how far the work is.
        measure: measures a cell; None for `bench`.

    Raises:
        BadArtifact: what is at ``out`` is not the table of a sweep.
        DeviceError: the table cannot be written, or there is no cluster.
        UsageError: see `cells_of`.
    """
    cells = cells_of(request)
    if request.restart:
        request.out.unlink(missing_ok=True)
    with open_table(request.out, create=True) as table:
        table.add(cells)
        done = {row.key for row in table.rows() if row.status == "measured"}
        waiting = [cell for cell in cells if cell.key not in done]
        progress(f"{len(waiting)} of {len(cells)} cells to measure")
        if waiting:
            with cluster(request.workers, request.scheduler) as engine:
                work = _Work(request, engine, table, progress)
                work.measure(work.export(waiting, export), measure or measured)
        keys = {cell.key for cell in cells}
        return tuple(row for row in table.rows() if row.key in keys)


@dataclass(frozen=True)
class _Work:
    """The two phases of a sweep."""

    request: SweepRequest
    engine: Engine
    table: Table
    progress: Progress

    def export(self, cells: Sequence[SweepCell], export: Exporter) -> list[SweepCell]:
        """Make the artifacts that are not there; return the cells that can be measured."""
        wanted = dict.fromkeys(cell.export for cell in cells)
        missing = [item for item in wanted if self.request.restart or not self._holds(item)]
        failed: dict[PlannedArtifact, TaskResult[PlannedArtifact, None]] = {}
        task = partial(_export, export, self.request.artifacts)
        for number, outcome in enumerate(self.engine.map_tasks(task, missing), start=1):
            self.progress(
                f"{number}/{len(missing)} export {outcome.task.name}"
                + (f": {outcome.message}" if outcome.message else "")
            )
            if outcome.message:
                failed[outcome.task] = outcome
        for cell in cells:
            if (outcome := failed.get(cell.export)) is not None:
                status = "killed" if outcome.killed else "failed"
                self.table.settle(cell.key, status, message=f"export: {outcome.message}")
        return [cell for cell in cells if cell.export not in failed]

    def _holds(self, item: PlannedArtifact) -> bool:
        try:
            read_manifest(self.request.artifacts / item.name)
        except BadArtifact:
            return False
        return True

    def measure(self, cells: Sequence[SweepCell], measure: Measurer) -> None:
        """Measure cells and write down what came of each."""
        groups: dict[str, list[SweepCell]] = {}
        for cell in cells:
            groups.setdefault(cell.export.network.name, []).append(cell)
        task = partial(_measure, measure, self.request.artifacts)
        outcomes = self.engine.map_one_per_host(task, list(groups.values()))
        for number, outcome in enumerate(outcomes, start=1):
            status, message = _verdict(outcome)
            self.table.settle(
                outcome.task.key,
                status,
                message=message,
                host=outcome.host,
                report=outcome.value or b"",
            )
            said = f": {message}" if message else ""
            self.progress(f"{number}/{len(cells)} {status} {outcome.task.label}{said}")


def _verdict(outcome: TaskResult[SweepCell, bytes]) -> tuple[Status, str]:
    """Return what became of a cell, and why it was not measured."""
    if outcome.killed or outcome.value is None:
        return "killed" if outcome.killed else "failed", outcome.message
    cells = report_from_json(outcome.value, outcome.task.label).cells
    if any(cell.status == "measured" for cell in cells):
        return "measured", ""
    return "failed", f"{cells[0].status}: {cells[0].message}"


def _export(export: Exporter, artifacts: Path, item: PlannedArtifact) -> None:
    with host_lock(alone=False):
        export(item, artifacts / item.name)


def _measure(measure: Measurer, artifacts: Path, cell: SweepCell) -> bytes:
    for name in UNWANTED:
        os.environ.pop(name, None)
    with host_lock(alone=True):
        return measure(cell, artifacts / cell.export.name)


def measured(cell: SweepCell, artifact: Path) -> bytes:
    """Return the latency report of a cell, as `bench` makes it."""
    from styleexport.runtime_bench.bench import BenchRequest, bench
    from styleexport.runtime_bench.contract.job import PlanFact

    plan = cell.plan
    request = BenchRequest(
        artifacts=(artifact,),
        runners=() if cell.runner == ALL else (parse_runner(cell.runner),),
        sizes=(Size.parse(cell.export.size),),
        roles=plan.roles,
        batches=plan.batches,
        plan=PlanFact(rounds=plan.rounds, seconds=plan.seconds, threads=plan.threads),
        profile=plan.profile,
        command=f"styleexport sweep: {cell.label}",
    )
    return bench(request, _unheard).encoded()


def _unheard(_: str) -> None:
    """Say nothing: a worker has no terminal."""
