"""What a browser or a phone is asked to measure: the files with their probes, the plan, a nonce.

The structs are the schema: `docs/job.schema.json` is generated from them. The device keeps its own
clock and answers with a `LatencyReport` that bears the nonce.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from styleexport.core.build import commit, version
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
from styleexport.core.types import Size
from styleexport.runtime_bench.contract.latency import SCHEMA_VERSION, Facts, SubjectFact, Text

# It becomes part of file names on the device.
Nonce = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class PlanFact(msgspec.Struct, frozen=True, kw_only=True):
    """How a device measures: by the rules of the desktop bench.

    Attributes:
        rounds: turns of every file.
        seconds: that a turn lasts at least.
        min_samples: that a turn takes at least.
        settling_runs: at the start of a turn, not kept.
        window: inferences whose median must agree with that of as many before.
        tolerance: by which they may differ.
        warm_up_least_seconds: that warming up takes at least.
        warm_up_seconds: after which it ends, stable or not; two windows are run in any case.
        seed: of the order in each round.
        threads: of the runtime; None leaves it to the device.
    """

    rounds: Annotated[int, Meta(ge=1)] = 7
    seconds: Annotated[float, Meta(ge=0)] = 0.5
    min_samples: Annotated[int, Meta(ge=1)] = 5
    settling_runs: Annotated[int, Meta(ge=0)] = 2
    window: Annotated[int, Meta(ge=1)] = 5
    tolerance: Annotated[float, Meta(ge=0)] = 0.03
    warm_up_least_seconds: Annotated[float, Meta(ge=0)] = 0.3
    warm_up_seconds: Annotated[float, Meta(ge=0)] = 10.0
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    threads: Annotated[int, Meta(ge=1)] | None = None


class JobCell(msgspec.Struct, frozen=True, kw_only=True):
    """One file at one size: what it is, what it takes and gives, and the probe that proves it.

    Attributes:
        subject: the file, as the report must name it.
        runner: that the report must name; "" is that of the device.
        requested: settings of it, such as a delegate; the report repeats them.
        size: of the picture.
        probe: below the artifact directory; it holds inputs and outputs by name.
        inputs: in order.
        outputs: in order.
        allowed_db: the least PSNR on the probe; a file below it gets no samples.
    """

    subject: SubjectFact
    runner: Text = ""
    requested: Facts = {}
    size: SizeFact
    probe: RelativePath
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    allowed_db: float


class JobFact(msgspec.Struct, frozen=True, kw_only=True):
    """All that a device is told, as JSON.

    Attributes:
        schema_version: of the report that is wanted.
        version: of styleexport.
        commit: of it; None where nobody knows.
        nonce: that the report must bear; every job has a new one.
        command: that was typed; the report repeats it.
        plan: how to measure.
        cells: what to measure.
    """

    schema_version: Literal[1]
    version: str
    commit: str | None
    nonce: Nonce
    command: Text = ""
    plan: PlanFact
    cells: Annotated[tuple[JobCell, ...], Meta(min_length=1)]


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
    wanted: Collection[tuple[str, Size]] | None = None,
) -> tuple[JobCell, ...]:
    """Return a wish for each file of some suffixes and each probe that it takes.

    Args:
        manifest: of the artifact.
        suffixes: of the files that the device runs.
        wanted: path and size of the files to measure; None is all of them.

    Raises:
        UsageError: the device runs none of them, or the artifact holds no such file and size.
    """
    able = tuple(
        _wish(manifest, fact, probe)
        for fact in manifest.files
        for probe in manifest.probes
        if Path(fact.path).suffix in suffixes and probe.role is fact.role and fact.takes(probe.size)
    )
    cells = tuple(
        cell for cell in able if wanted is None or (cell.subject.path, cell.size.size()) in wanted
    )
    if not cells or (wanted is not None and len(cells) < len(set(wanted))):
        held = ", ".join(cell.subject.path for cell in able) or "none"
        raise UsageError(
            f"the artifact holds {'not all of the files' if cells else 'no file'} to be run: "
            f"expected {' or '.join(suffixes)} files with a probe, here {held}; export them with "
            "`styleexport export`"
        )
    return cells


def _wish(manifest: Manifest, fact: FileFact, probe: ProbeFact) -> JobCell:
    return JobCell(
        subject=SubjectFact.of(manifest, fact),
        size=probe.size,
        probe=probe.path,
        inputs=fact.inputs,
        outputs=fact.outputs,
        allowed_db=allowed_on_device(fact),
    )


def job_from_json(raw: bytes, source: str) -> JobFact:
    """Return the job that some bytes hold, as a device reads it.

    Args:
        raw: the JSON.
        source: where it came from, for messages.

    Raises:
        BadArtifact: it is not a job, or one of another schema version.
    """
    try:
        version = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("schema_version")
        if version is not None and bytes(version) != str(SCHEMA_VERSION).encode():
            raise BadArtifact(
                f"{source} has job schema version {bytes(version).decode(errors='replace')}, "
                f"expected {SCHEMA_VERSION}: make it with this version of styleexport"
            )
        job = msgspec.json.decode(raw, type=JobFact)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArtifact(
            f"{source} is not a job: {error}; make one with `styleexport bench`"
        ) from error
    _check_paths(job, source)
    return job


def _check_paths(job: JobFact, source: str) -> None:
    for number, cell in enumerate(job.cells):
        for field, path in (("probe", cell.probe), ("subject.path", cell.subject.path)):
            if ".." in path.split("/") or path.startswith("/"):
                raise BadArtifact(
                    f"{source} names {path}, outside the artifact - at "
                    f"`$.cells[{number}].{field}`; make one with `styleexport bench`"
                )


def json_schema() -> bytes:
    """Return the job's JSON Schema, indented."""
    return schema_of(JobFact)
