"""Cells of a request: every file on every runner at every size, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from styleexport.core.types import PASSES, Precision, Progress, Role, Size
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import SubjectFact
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.runners._runner import (
    PACKAGE,
    any_runner,
    on_other_machine,
    remote_runner,
)


@dataclass(frozen=True)
class _Source:
    """A file that runners can read.

    Attributes:
        folder: folder of its artifact.
        manifest: manifest of its artifact.
        file: the exported file, or one with the program's inputs and outputs.
        program: the captured program; None for an exported file.
    """

    folder: Path
    manifest: Manifest
    file: FileFact
    program: ProgramFact | None = None

    @property
    def path(self) -> Path:
        """Path below the artifact."""
        return Path(self.file.path if self.program is None else self.program.path)

    def subject(self) -> SubjectFact:
        """Return the file as reports describe it."""
        subject, program = SubjectFact.of(self.manifest, self.file), self.program
        if program is None:
            return subject
        return msgspec.structs.replace(
            subject,
            path=program.path,
            sha256=program.sha256,
            target="torch",
            precision=Precision.FP32,
            size_bytes=size_of_file(self.folder / program.path),
            int8_mac_share=0.0,
            quality_db=None,
            style_change=None,
        )

    def sizes(self, request: BenchRequest) -> tuple[Size, ...]:
        """Return the requested sizes that the file takes and that have a probe."""
        probes = [p for p in self.manifest.probes if p.role is self.file.role]
        sizes = dict.fromkeys(p.size.size() for p in probes if self.file.takes(p.size))
        program = self.program
        return tuple(
            size
            for size in sizes
            if (not request.sizes or size in request.sizes)
            and (program is None or program.size.size() == size)
        )

    def cell(self, choice: RunnerChoice, size: Size, batch: int, request: BenchRequest) -> Cell:
        """Return the cell of the file on a runner at a size."""
        fact = SizeFact.of(size)
        role = self.file.role
        return Cell(
            artifact=self.folder,
            subject=self.subject(),
            file=self.file,
            probes=tuple(p for p in self.manifest.probes if p.role is role and p.size == fact),
            choice=choice,
            size=size,
            batch=batch,
            threads=request.used_threads,
            affinity=request.affinity,
        )


def cells_of(request: BenchRequest, progress: Progress) -> tuple[Cell, ...]:
    """Return the cells of a request, small pictures first.

    Args:
        request: what to measure.
        progress: receives a line per runner that is left out.

    Raises:
        BadArtifact: a folder is not an artifact.
        UsageError: no file has a requested size, role or precision, or no requested runner reads
            any.
    """
    manifests = [(folder, read_manifest(folder)) for folder in request.artifacts]
    _check_sizes(request, manifests)
    sources = [
        source for folder, manifest in manifests for source in _sources(folder, manifest, request)
    ]
    if not sources:
        raise UsageError(
            "no file has what was asked for: expected "
            + "; ".join(f"{folder}: {_offers(manifest)}" for folder, manifest in manifests)
        )
    paths = [source.path for source in sources]
    choices = _timed(request.runners) or _available(paths, progress)
    cells = [
        source.cell(choice, size, batch, request)
        for source in sources
        for size in source.sizes(request)
        for choice in choices
        if any_runner(choice.name).reads(source.path)
        for batch in request.batches
    ]
    if not cells:
        suffixes = sorted({path.suffix for path in paths})
        raise UsageError(
            f"{', '.join(map(str, choices))} reads none of the files ({', '.join(suffixes)}); type "
            "--runner with one of those that do, or leave it out"
        )
    unique = [cell for number, cell in enumerate(cells) if cell not in cells[:number]]
    return tuple(sorted(unique, key=_order))


def _order(cell: Cell) -> tuple[int, Size, Role]:
    """Cells that are measured side by side come together: one size, the smallest first."""
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


def _sources(folder: Path, manifest: Manifest, request: BenchRequest) -> Iterator[_Source]:
    """Yield the exported files but passes over tiles, then the programs that they came from."""
    for file in manifest.files:
        if file.role not in PASSES and _is_requested(file.role, file.precision, request):
            yield _Source(folder, manifest, file)
    for program in manifest.programs:
        fitting = [f for f in manifest.files if f.role is program.role and f.takes(program.size)]
        if fitting and _is_requested(program.role, Precision.FP32, request):
            # The inputs of a program have the names of those of an exported file.
            file = min(fitting, key=lambda f: f.precision is not Precision.FP32)
            yield _Source(folder, manifest, file, program)


def _is_requested(role: Role, precision: Precision, request: BenchRequest) -> bool:
    return (not request.roles or role in request.roles) and (
        not request.precisions or precision in request.precisions
    )


def _offers(manifest: Manifest) -> str:
    files = [file for file in manifest.files if file.role not in PASSES]
    roles = dict.fromkeys(f"--role {file.role}" for file in files)
    precisions = dict.fromkeys(f"--precision {file.precision}" for file in files)
    return ", ".join((*roles, *precisions))


def _timed(choices: tuple[RunnerChoice, ...]) -> tuple[RunnerChoice, ...]:
    """Return the choices, checked: a reference interpreter is refused."""
    for choice in choices:
        if remote_runner(choice.name) is None and not any_runner(choice.name).timed:
            raise UsageError(
                f"{choice} is an interpreter for proofs, its time says nothing of any device: "
                "leave it out, and type `styleexport verify` for what it proves"
            )
    return choices


def _available(paths: Sequence[Path], progress: Progress) -> tuple[RunnerChoice, ...]:
    """Return the available timed runners of this machine that read at least one of the files."""
    names = [name for name in plugins.names(PACKAGE) if not on_other_machine(name)]
    timed = [runner for runner in map(any_runner, names) if runner.timed]
    available: list[RunnerChoice] = []
    for runner in timed:
        if not any(map(runner.reads, paths)):
            continue
        reason = runner.unavailable()
        if reason is None:
            available.append(RunnerChoice(runner.name))
        else:
            progress(f"{runner.name} left out: {reason}")
    return tuple(available)
