"""Benchmark cells for tests, made from an artifact without a request."""

from __future__ import annotations

from pathlib import Path

from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import SubjectFact
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice


def cell_of(artifact: Path, path: str, runner: str = "fake", **settings: str) -> Cell:
    """The cell of a file at the size of its first probe."""
    manifest = read_manifest(artifact, check_files=False)
    file = next(file for file in manifest.files if file.path == path)
    probes = [p for p in manifest.probes if p.role is file.role and file.takes(p.size)]
    return Cell(
        artifact=artifact,
        subject=SubjectFact.of(manifest, file),
        file=file,
        probes=tuple(probes[:1]),
        choice=RunnerChoice(runner, settings),
        size=probes[0].size.size(),
    )
