"""From a request to its cells: every file on every runner at every size, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.core.manifest import (
    FileFact,
    Manifest,
    ProgramFact,
    SizeFact,
    read_manifest,
    size_of_file,
)
from styleexport.core.types import Precision, Progress, Role, Size
from styleexport.runtime_bench.bench.messages import Job
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.contract.latency import SubjectFact
from styleexport.runtime_bench.runners._choice import RunnerChoice
from styleexport.runtime_bench.runners._runner import PACKAGE, find_runner

# What a runtime takes before it has loaded anything, torch's taken for all.
RUNTIME_BYTES = 400_000_000


@dataclass(frozen=True)
class Cell:
    """One file on one runner at one size and batch.

    Attributes:
        artifact: the folder.
        subject: the file, as its manifest describes it.
        choice: the runner and its settings.
        size: of the pictures.
        job: what the worker is told.
        layers: of the captured network → tensors of the file.
        memory_bytes: that its worker may take, an estimate on the safe side.
    """

    artifact: Path
    subject: SubjectFact
    choice: RunnerChoice
    size: Size
    job: Job
    layers: Mapping[str, str]
    memory_bytes: int

    @property
    def label(self) -> str:
        """What the user is told of it."""
        batch = f" x{self.job.batch}" if self.job.batch > 1 else ""
        subject = self.subject
        return (
            f"{subject.network} {subject.role} {subject.precision} {self.size}{batch} on "
            f"{self.choice}"
        )


@dataclass(frozen=True)
class _Source:
    """A file that runners can read: an exported one, or a captured program."""

    fact: FileFact
    program: ProgramFact | None = None

    @property
    def path(self) -> str:
        return self.fact.path if self.program is None else self.program.path


def cells_of(request: BenchRequest, progress: Progress) -> tuple[Cell, ...]:
    """Return the cells of a request, small pictures first.

    Args:
        request: what to measure.
        progress: is told which runners are left out, and why.

    Raises:
        BadArtifact: a folder is not an artifact.
        UsageError: no file has a size, role or precision that was asked for, or no runner asked
            for reads any.
    """
    manifests = [(folder, read_manifest(folder)) for folder in request.artifacts]
    _check_sizes(request, manifests)
    sources = [(folder, m, item) for folder, m in manifests for item in _sources(m, request)]
    if not sources:
        raise UsageError(
            "no file has what was asked for: expected "
            + "; ".join(f"{folder}: {_offers(manifest)}" for folder, manifest in manifests)
        )
    choices = _timed(request.runners) or _able(
        [Path(item.path) for _, _, item in sources], progress
    )
    found = [
        cell
        for folder, manifest, item in sources
        for size in _sizes(manifest, item.fact, request)
        if item.program is None or item.program.size.size() == size
        for choice in choices
        if find_runner(choice.name).reads(Path(item.path))
        for batch in request.batches
        for cell in [_cell(folder, manifest, item, choice, size, batch, request)]
    ]
    if not found:
        read = sorted({Path(item.path).suffix for _, _, item in sources})
        raise UsageError(
            f"{', '.join(map(str, choices))} reads none of the files ({', '.join(read)}); type "
            "--runner with one of those that do, or leave it out"
        )
    once = [cell for number, cell in enumerate(found) if cell not in found[:number]]
    return tuple(sorted(once, key=_order))


def _order(cell: Cell) -> tuple[int, Size, Role]:
    """What is measured side by side comes together: pictures of one size, small ones first."""
    return cell.size.height * cell.size.width, cell.size, cell.subject.role


def _check_sizes(request: BenchRequest, manifests: list[tuple[Path, Manifest]]) -> None:
    held = {probe.size.size() for _, manifest in manifests for probe in manifest.probes}
    for size in request.sizes:
        if size not in held:
            folder, manifest = manifests[0]
            raise UsageError(
                f"{folder} holds {', '.join(map(str, sorted(held)))}, not {size}: type "
                f"`styleexport {manifest.files[0].target} {manifest.network.name} --size {size}`"
            )


def _sources(manifest: Manifest, request: BenchRequest) -> Iterator[_Source]:
    """Yield the exported files, then the programs that they came from."""
    for fact in manifest.files:
        if _wanted(fact.role, fact.precision, request):
            yield _Source(fact)
    for program in manifest.programs:
        fitting = [f for f in manifest.files if f.role is program.role and f.takes(program.size)]
        if fitting and _wanted(program.role, Precision.FP32, request):
            # The file of the same role and size says what the program's inputs are called.
            yield _Source(min(fitting, key=lambda f: f.precision is not Precision.FP32), program)


def _wanted(role: Role, precision: Precision, request: BenchRequest) -> bool:
    return (not request.roles or role in request.roles) and (
        not request.precisions or precision in request.precisions
    )


def _sizes(manifest: Manifest, fact: FileFact, request: BenchRequest) -> tuple[Size, ...]:
    """Return the sizes that are asked for, that a file takes, and that have a probe."""
    probed = [p.size for p in manifest.probes if p.role is fact.role and fact.takes(p.size)]
    sizes = dict.fromkeys(size.size() for size in probed)
    return tuple(size for size in sizes if not request.sizes or size in request.sizes)


def _offers(manifest: Manifest) -> str:
    roles = dict.fromkeys(f"--role {fact.role}" for fact in manifest.files)
    precisions = dict.fromkeys(f"--precision {fact.precision}" for fact in manifest.files)
    return ", ".join((*roles, *precisions))


def _timed(choices: tuple[RunnerChoice, ...]) -> tuple[RunnerChoice, ...]:
    """Return the choices, each of a runner whose time says something."""
    for choice in choices:
        runner = find_runner(choice.name)
        if not runner.timed and not runner.own_clock:
            raise UsageError(
                f"{choice} is an interpreter for proofs, its time says nothing of any device: "
                "leave it out, and type `styleexport verify` for what it proves"
            )
    return choices


def _able(files: Sequence[Path], progress: Progress) -> tuple[RunnerChoice, ...]:
    """Return every runner that reads one of these, whose time says anything, and that is here."""
    runners = [find_runner(name) for name in plugins.names(PACKAGE)]
    here = [runner for runner in runners if runner.timed and not runner.elsewhere]
    fitting = [runner for runner in here if any(map(runner.reads, files))]
    able: list[RunnerChoice] = []
    for runner in fitting:
        reason = runner.unavailable()
        if reason is None:
            able.append(RunnerChoice(runner.name))
        else:
            progress(f"{runner.name} left out: {reason}")
    return tuple(able)


def _cell(
    folder: Path,
    manifest: Manifest,
    item: _Source,
    choice: RunnerChoice,
    size: Size,
    batch: int,
    request: BenchRequest,
) -> Cell:
    fact, program = item.fact, item.program
    probes = [
        p.path for p in manifest.probes if p.role is fact.role and p.size == SizeFact.of(size)
    ]
    job = Job(
        file=str((folder / item.path).resolve()),
        runner=choice.name,
        settings=dict(choice.settings),
        threads=request.used_threads,
        batch=batch,
        affinity=request.affinity,
        precision=fact.precision if program is None else Precision.FP32,
        inputs=tuple(tensor.name for tensor in fact.inputs),
        output=fact.outputs[0].name,
        image=fact.outputs[0].kind == "image",
        rounded=find_runner(choice.name).rounds_pictures and fact.outputs[0].dtype == "uint8",
        probes=tuple(str((folder / path).resolve()) for path in probes),
    )
    activations = fact.peak_activation_bytes or 64 * 4 * size.height * size.width
    return Cell(
        artifact=folder,
        subject=_subject(folder, manifest, item),
        choice=choice,
        size=size,
        job=job,
        layers=fact.layers if program is None else {name: name for name in fact.layers},
        memory_bytes=RUNTIME_BYTES + 3 * (activations * batch + 4 * fact.parameters),
    )


def _subject(folder: Path, manifest: Manifest, item: _Source) -> SubjectFact:
    subject, program = SubjectFact.of(manifest, item.fact), item.program
    if program is None:
        return subject
    return msgspec.structs.replace(
        subject,
        path=program.path,
        sha256=program.sha256,
        target="torch",
        precision=Precision.FP32,
        size_bytes=size_of_file(folder / program.path),
        int8_mac_share=0.0,
        quality_db=None,
        style_change=None,
    )
