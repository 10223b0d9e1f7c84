"""The two phases of a sweep: export in parallel, then measure one cell at a time per host.

Nothing is exported on a host while it measures; a host-wide lock ensures that between sweeps too.
Cells of one network stay on one host while it lives.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from styleexport.core.command_line import without_folders
from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.core.locks import change_lock
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

# Variables that dask sets for its workers, which would change the speed of measured processes.
REMOVED_VARIABLES = (
    "MALLOC_TRIM_THRESHOLD_",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)

# Exports an artifact into a folder. It is pickled for other processes.
Exporter = Callable[[PlannedArtifact, Path], None]
# Returns the latency report of a cell as JSON, given the artifact's folder.
Measurer = Callable[[SweepCell, Path], bytes]


@dataclass(frozen=True)
class SweepRequest:
    """Settings of a sweep.

    Attributes:
        plan: contents of the sweep file.
        folder: folder that its paths are relative to.
        out: path of the table.
        suffixes: target → suffix of its files.
        restart: whether to discard the results of an earlier run.
        workers: number of processes of a local cluster.
        scheduler: address of another cluster, whose hosts share this file system; None for a local
            one.
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
        """Folder of the exported artifacts."""
        return self.out.resolve().with_name(f"{self.out.stem}-artifacts")


def cells_of(request: SweepRequest) -> tuple[SweepCell, ...]:
    """Return the unique cells of a sweep.

    Raises:
        BadCheckpoint: a file that the sweep names is missing.
        UsageError: a target is unknown, or a runner reads none of the files.
    """
    for recipe in request.plan.recipes:
        if recipe.target not in request.suffixes:
            known = ", ".join(sorted(request.suffixes))
            raise UsageError(f"unknown target {recipe.target!r}: expected one of {known}")
    cells = [
        SweepCell(export, runner, request.plan)
        for export in exports_of(request.plan, request.folder)
        for runner in runners_of(request.plan, export, request.suffixes)
    ]
    idle = set(request.plan.runners) - {cell.runner for cell in cells}
    if idle:
        raise UsageError(
            f"runner {min(idle)} reads no file of this sweep: add a recipe with a target that it "
            "reads, or leave it out"
        )
    return tuple({cell.key: cell for cell in cells}.values())


def current_rows(request: SweepRequest) -> tuple[SweepRow, ...]:
    """Return the rows of a sweep as they are now, without writing: measured or waiting.

    Raises:
        BadArtifact: the file at ``out`` is not the table of a sweep.
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
    """Export and measure the cells that an earlier run has not, and return all rows.

    Args:
        request: settings of the sweep.
        export: exports an artifact into a folder.
        progress: receives progress messages.
        measure: measures a cell; None for `bench`.

    Raises:
        BadArtifact: the file at ``out`` is not the table of a sweep.
        DeviceError: the table cannot be written, or there is no cluster.
        UsageError: see `cells_of`.
    """
    cells = cells_of(request)
    with (
        _locked(request.out, progress),
        open_table(request.out, create=True, restart=request.restart) as table,
    ):
        table.add(cells)
        done = {row.key for row in table.rows() if row.status == "measured"}
        waiting = [cell for cell in cells if cell.key not in done]
        progress(f"{len(waiting)} of {len(cells)} cells to measure")
        if waiting:
            with cluster(request.workers, request.scheduler) as engine:
                phases = _Phases(request, engine, table, progress)
                phases.measure(phases.export(waiting, export), measure or measure_cell)
        keys = {cell.key for cell in cells}
        return tuple(row for row in table.rows() if row.key in keys)


@contextlib.contextmanager
def _locked(out: Path, progress: Progress) -> Generator[None]:
    """Hold the table for one sweep at a time.

    Raises:
        DeviceError: its folder cannot be made.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"cannot write {out}: {error}; choose another with -o") from error
    with change_lock(out, progress):
        yield


@dataclass(frozen=True)
class _Phases:
    """The two phases of a sweep."""

    request: SweepRequest
    engine: Engine
    table: Table
    progress: Progress

    def export(self, cells: Sequence[SweepCell], export: Exporter) -> list[SweepCell]:
        """Export the missing artifacts; return the cells that can be measured."""
        artifacts = dict.fromkeys(cell.export for cell in cells)
        missing = [item for item in artifacts if self.request.restart or not self._holds(item)]
        failed: dict[PlannedArtifact, TaskResult[PlannedArtifact, None]] = {}
        task = partial(_export, export, self.request.artifacts)
        for number, result in enumerate(self.engine.map_tasks(task, missing), start=1):
            self.progress(
                f"{number}/{len(missing)} export {result.task.name}"
                + (f": {result.message}" if result.message else "")
            )
            if result.message:
                failed[result.task] = result
        for cell in cells:
            if (result := failed.get(cell.export)) is not None:
                status = "killed" if result.killed else "failed"
                self.table.settle(cell.key, status, message=f"export: {result.message}")
        return [cell for cell in cells if cell.export not in failed]

    def _holds(self, item: PlannedArtifact) -> bool:
        try:
            read_manifest(self.request.artifacts / item.name)
        except BadArtifact:
            return False
        return True

    def measure(self, cells: Sequence[SweepCell], measure: Measurer) -> None:
        """Measure cells and store the results."""
        groups: dict[str, list[SweepCell]] = {}
        for cell in cells:
            groups.setdefault(cell.export.network.name, []).append(cell)
        task = partial(_measure, measure, self.request.artifacts)
        results = self.engine.map_one_per_host(task, list(groups.values()))
        for number, result in enumerate(results, start=1):
            status, message = _status_of(result)
            self.table.settle(
                result.task.key,
                status,
                message=message,
                host=result.host,
                report=result.value or b"",
            )
            reason = f": {message}" if message else ""
            self.progress(f"{number}/{len(cells)} {status} {result.task.label}{reason}")


def _status_of(result: TaskResult[SweepCell, bytes]) -> tuple[Status, str]:
    """Return the status of a cell, and the reason where it was not measured."""
    if result.killed or result.value is None:
        return "killed" if result.killed else "failed", result.message
    cells = report_from_json(result.value, result.task.label).cells
    if any(cell.status == "measured" for cell in cells):
        return "measured", ""
    return "failed", f"{cells[0].status}: {cells[0].message}"


def _export(export: Exporter, artifacts: Path, item: PlannedArtifact) -> None:
    with host_lock(exclusive=False):
        export(item, artifacts / item.name)


def _measure(measure: Measurer, artifacts: Path, cell: SweepCell) -> bytes:
    for name in REMOVED_VARIABLES:
        os.environ.pop(name, None)
    with host_lock(exclusive=True):
        return measure(cell, artifacts / cell.export.name)


def measure_cell(cell: SweepCell, artifact: Path) -> bytes:
    """Return the latency report of a cell by `bench`, as JSON."""
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
        command=f"styleexport sweep: {without_folders(cell.label)}",
    )
    return bench(request, _ignore).encoded()


def _ignore(_: str) -> None:
    """Drop a progress message: a worker has no terminal."""
