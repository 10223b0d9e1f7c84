"""Benchmark cells for tests, made from an artifact without a request."""

from __future__ import annotations

from pathlib import Path

from styleexport.core.manifest import SizeFact, read_manifest
from styleexport.core.types import Precision, Role
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    MachineFact,
    ProtocolFact,
    StateFact,
    SubjectFact,
)
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


def small_report() -> LatencyReport:
    """A latency report with one cell: the least there is."""
    subject = SubjectFact(
        network="a",
        source_sha256="0" * 64,
        path="a.onnx",
        sha256="0" * 64,
        target="onnx",
        precision=Precision.FP32,
        role=Role.STYLIZE,
        size_bytes=1,
        parameters=1,
        macs=1,
        int8_mac_share=0.0,
    )
    size = SizeFact(height=64, width=64)
    cell = CellFact(
        subject=subject, runner="torch", size=size, status="measured", rounds_ns=((10,),)
    )
    return LatencyReport(
        schema_version=1,
        harness=HarnessFact(name="desktop", version="0"),
        created="2026-01-01T00:00:00Z",
        machine=MachineFact(device="d", os="o", processor="p", cores=1, memory_bytes=1),
        before=StateFact(),
        after=StateFact(),
        protocol=ProtocolFact(
            rounds=1,
            seconds=0.0,
            min_samples=1,
            warm_up="none",
            interleaved=True,
            own_process=True,
            clock="c",
            clock_resolution_ns=1.0,
        ),
        cells=(cell,),
    )
