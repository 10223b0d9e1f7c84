"""Measuring job for a browser or a phone: files with their probes, the plan, and a nonce.

The structs are the schema: `docs/job.schema.json` is generated from them. The device reads its own
clock and answers with a `LatencyReport` that carries the nonce.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from styleexport.core.build import commit, version
from styleexport.core.documents import DocumentKind, read_document
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import (
    FileFact,
    Manifest,
    ProbeFact,
    RelativePath,
    SizeFact,
    TensorFact,
)
from styleexport.core.schema import schema_of
from styleexport.core.thresholds import allowed_on_device
from styleexport.core.types import PASSES, Size
from styleexport.runtime_bench.contract.cell import Cell, CellKey, cell_key
from styleexport.runtime_bench.contract.defaults import (
    MIN_SAMPLES,
    ROUNDS,
    SECONDS,
    WARM_UP_SECONDS,
)
from styleexport.runtime_bench.contract.latency import (
    SCHEMA_VERSION,
    Facts,
    ProtocolFact,
    SubjectFact,
    Text,
)

# It becomes part of file names on the device.
Nonce = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class PlanFact(msgspec.Struct, frozen=True, kw_only=True):
    """Measuring plan: how every cell is warmed up and sampled, the same in every harness.

    Attributes:
        rounds: number of rounds; every cell gets one turn per round.
        seconds: minimum length of a turn.
        min_samples: minimum number of samples per turn.
        settling_runs: untimed inferences at the start of a turn.
        window: inferences per window of the warm-up; the medians of the last two windows are
            compared.
        tolerance: relative difference of these medians below which a cell counts as warm.
        warm_up_least_seconds: minimum length of the warm-up.
        warm_up_seconds: time after which the warm-up ends, stable or not; at least two inferences
            are run in any case.
        seed: seed of the order of turns in each round.
        threads: number of threads of the runtime; None leaves it to the device.
    """

    rounds: Annotated[int, Meta(ge=1)] = ROUNDS
    seconds: Annotated[float, Meta(ge=0)] = SECONDS
    min_samples: Annotated[int, Meta(ge=1)] = MIN_SAMPLES
    settling_runs: Annotated[int, Meta(ge=0)] = 2
    window: Annotated[int, Meta(ge=1)] = 5
    tolerance: Annotated[float, Meta(ge=0)] = 0.03
    warm_up_least_seconds: Annotated[float, Meta(ge=0)] = 0.3
    warm_up_seconds: Annotated[float, Meta(ge=0)] = WARM_UP_SECONDS
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    threads: Annotated[int, Meta(ge=1)] | None = None

    def protocol(self, clock: str, clock_resolution_ns: float) -> ProtocolFact:
        """Return the plan as the desktop's report states it: in rounds, a process per cell."""
        return ProtocolFact(
            rounds=self.rounds,
            seconds=self.seconds,
            min_samples=self.min_samples,
            warm_up=(
                f"until the median of {self.window} runs is within {self.tolerance:.0%} of that "
                f"of the {self.window} before, at least {self.warm_up_least_seconds:g} s, at most "
                f"{self.warm_up_seconds:g} s; {self.settling_runs} runs untimed before each turn"
            ),
            interleaved=True,
            own_process=True,
            clock=clock,
            clock_resolution_ns=clock_resolution_ns,
        )


class JobCell(msgspec.Struct, frozen=True, kw_only=True):
    """Cell to measure: one file at one size, its inputs and outputs, and the probe to pass first.

    Attributes:
        subject: identity of the file; the report repeats it.
        runner: runner name that the report must state; "" is the device's own.
        requested: requested runner settings, such as a delegate; the report repeats them.
        size: picture size.
        probe: path of the probe below the artifact directory; a file of tensors by name.
        inputs: inputs, in order.
        outputs: outputs, in order.
        allowed_db: minimum PSNR on the probe; a file below it is not timed.
    """

    subject: SubjectFact
    runner: Text = ""
    requested: Facts = {}
    size: SizeFact
    probe: RelativePath
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    allowed_db: float

    @classmethod
    def of(
        cls,
        subject: SubjectFact,
        file: FileFact,
        probe: ProbeFact,
        runner: str = "",
        requested: Mapping[str, str] | None = None,
    ) -> JobCell:
        """Return the job's cell of a file with its probe."""
        return cls(
            subject=subject,
            runner=runner,
            requested=dict(requested or {}),
            size=probe.size,
            probe=probe.path,
            inputs=file.inputs,
            outputs=file.outputs,
            allowed_db=allowed_on_device(file),
        )

    @classmethod
    def for_runner(cls, cell: Cell, runner: str) -> JobCell:
        """Return a benchmark cell as the device of a runner gets it."""
        return cls.of(cell.subject, cell.file, cell.probes[0], runner, cell.choice.settings)

    @property
    def key(self) -> CellKey:
        """Key of the cell among those of one artifact; see `Cell.key`."""
        return cell_key(self.subject, self.size.size(), self.requested)


class JobFact(msgspec.Struct, frozen=True, kw_only=True):
    """Measuring job: everything a device is sent, as JSON.

    Attributes:
        schema_version: schema version of the job and of the report to send back.
        version: version of styleexport.
        commit: commit of styleexport; None where it is unknown.
        nonce: one-time token; the report must carry it.
        command: command line that was typed; the report repeats it.
        plan: measuring plan.
        cells: cells to measure.
    """

    schema_version: Literal[1]
    version: str
    commit: str | None
    nonce: Nonce
    command: Text = ""
    plan: PlanFact
    cells: Annotated[tuple[JobCell, ...], Meta(min_length=1)]


JOB = DocumentKind(
    struct=JobFact,
    version=SCHEMA_VERSION,
    name="a job",
    version_name="job schema version",
    if_outdated="make it with this version of styleexport",
    if_damaged="make one with `styleexport bench`",
)


def new_job(
    cells: tuple[JobCell, ...], plan: PlanFact, nonce: str = "", command: str = ""
) -> JobFact:
    """Return a job of this version of styleexport."""
    return JobFact(
        schema_version=SCHEMA_VERSION,
        version=version(),
        commit=commit(),
        nonce=nonce,
        command=command,
        plan=plan,
        cells=cells,
    )


def job_cells(
    manifest: Manifest,
    suffixes: Collection[str],
    selected: Collection[tuple[str, Size]] | None = None,
) -> tuple[JobCell, ...]:
    """Return a cell for each file with one of the suffixes and each probe that it takes.

    Passes over tiles are not measured: one by itself has no probe, and paints nothing.

    Args:
        manifest: manifest of the artifact.
        suffixes: suffixes of the files that the device runs.
        selected: path and size of the files to measure; None selects all.

    Raises:
        UsageError: the device runs none of them, or the artifact holds no such file and size.
    """
    runnable = tuple(
        JobCell.of(SubjectFact.of(manifest, file), file, probe)
        for file in manifest.files
        if file.role not in PASSES
        for probe in manifest.probes
        if Path(file.path).suffix in suffixes and probe.role is file.role and file.takes(probe.size)
    )
    cells = tuple(
        cell
        for cell in runnable
        if selected is None or (cell.subject.path, cell.size.size()) in selected
    )
    if not cells or (selected is not None and len(cells) < len(set(selected))):
        held = ", ".join(cell.subject.path for cell in runnable) or "none"
        raise UsageError(
            f"the artifact holds {'not all of the files' if cells else 'no file'} to be run: "
            f"expected {' or '.join(suffixes)} files with a probe, here {held}; export them with "
            "`styleexport export`"
        )
    return cells


def job_from_json(raw: bytes, source: str) -> JobFact:
    """Return a job from JSON, checked as a device checks it.

    Args:
        raw: the JSON.
        source: where the bytes came from, for messages.

    Raises:
        BadArtifact: it is not a job, or one of another schema version.
    """
    job = read_document(raw, JOB, source)
    for number, cell in enumerate(job.cells):
        for field, path in (("probe", cell.probe), ("subject.path", cell.subject.path)):
            if ".." in path.split("/") or path.startswith("/"):
                raise BadArtifact(
                    f"{source} names {path}, outside the artifact - at "
                    f"`$.cells[{number}].{field}`; make one with `styleexport bench`"
                )
    return job


def json_schema() -> bytes:
    """Return the job's JSON Schema, indented."""
    return schema_of(JobFact)
