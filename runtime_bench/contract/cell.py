"""Benchmark cell: one file on one runner at one size and batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.manifest import FileFact, ProbeFact
from styleexport.core.types import Size
from styleexport.runtime_bench.contract.latency import SubjectFact
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice

# Identifies a cell among those of one artifact: path, size, settings.
CellKey = tuple[str, Size, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Cell:
    """One file on one runner at one size and batch.

    Attributes:
        artifact: folder of the artifact.
        subject: the measured file, as reports describe it.
        file: manifest entry that names inputs and outputs: the measured file's own or, for a
            captured program, that of an exported file of the same role and size.
        probes: golden inputs and outputs at this size.
        choice: runner and settings.
        size: picture size.
        batch: number of pictures per inference.
        threads: number of threads of the runtime.
        affinity: processors that the worker is bound to; () leaves it unbound.
    """

    artifact: Path
    subject: SubjectFact
    file: FileFact
    probes: tuple[ProbeFact, ...]
    choice: RunnerChoice
    size: Size
    batch: int = 1
    threads: int = 1
    affinity: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        """Absolute path of the measured file."""
        return (self.artifact / self.subject.path).resolve()

    @property
    def layers(self) -> Mapping[str, str]:
        """Layer of the captured network → tensor of the measured file."""
        layers = self.file.layers
        is_program = self.subject.path != self.file.path
        return {name: name for name in layers} if is_program else layers

    @property
    def key(self) -> CellKey:
        """Key of the cell among those of one artifact, shared by its fact in a report."""
        return cell_key(self.subject, self.size, self.choice.settings)

    @property
    def label(self) -> str:
        """Description for progress lines."""
        batch = f" x{self.batch}" if self.batch > 1 else ""
        subject = self.subject
        return (
            f"{subject.network} {subject.role} {subject.precision} {self.size}{batch} on "
            f"{self.choice}"
        )


def cell_key(subject: SubjectFact, size: Size, settings: Mapping[str, str]) -> CellKey:
    """Return the key by which cells of a request, a job and a report are matched."""
    return subject.path, size, frozenset(settings.items())
