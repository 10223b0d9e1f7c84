"""Job of the page: cells to measure, and the files and pictures that it paints with."""

from __future__ import annotations

from collections.abc import Collection, Generator
from pathlib import Path
from typing import Literal

import msgspec

from styleexport.core.manifest import Manifest, NetworkFact, StylePackFact
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import PASSES, Role, Size
from styleexport.runtime_bench.contract import job
from styleexport.runtime_bench.contract.latency import SubjectFact
from styleexport.runtime_bench.runners.browser._assets import examples, shipped_styles
from styleexport.runtime_bench.runners.browser._packages import versions

SUFFIXES = (".onnx", ".tflite")


class PagePlanFact(job.PlanFact, frozen=True, kw_only=True):
    """Measuring plan of the page.

    Attributes:
        auto: whether it starts by itself.
        backend: backend of the runtimes.
    """

    auto: bool = False
    backend: Literal["wasm", "webgpu"] = "wasm"


class OtherFact(msgspec.Struct, frozen=True):
    """A file of the artifact that browsers do not run, and why."""

    path: str
    reason: str


class ExamplesFact(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the shipped pictures that the page offers."""

    content: str
    styles: tuple[str, ...]


class ShippedFact(msgspec.Struct, frozen=True, kw_only=True):
    """Style codes that ship with the package for the weights of the artifact.

    Attributes:
        file: name of the safetensors file among the examples.
        paintings: name of a code → title, painter and year.
    """

    file: str
    paintings: dict[str, str]


class PageJobFact(job.JobFact, frozen=True, kw_only=True):
    """Job of the page, as JSON.

    Attributes:
        plan: measuring plan.
        network: network of the files.
        tilings: how the files of passes paint pictures of any size.
        passes: files of passes; the probe is a picture that takes several tiles.
        others: files that browsers do not run.
        styles: packs of style codes.
        examples: shipped example pictures.
        shipped: style codes that ship for the network's weights; None where none do.
        packages: JavaScript package → version.
    """

    plan: PagePlanFact
    network: NetworkFact
    tilings: tuple[TilingFact, ...]
    passes: tuple[job.JobCell, ...]
    others: tuple[OtherFact, ...]
    styles: tuple[StylePackFact, ...]
    examples: ExamplesFact
    shipped: ShippedFact | None
    packages: dict[str, str]


def job_of(
    manifest: Manifest,
    plan: PagePlanFact,
    selected: Collection[tuple[str, Size]] | None = None,
) -> PageJobFact:
    """Return the job of an artifact; the server gives it a new nonce per answer.

    Args:
        manifest: manifest of the artifact.
        plan: measuring plan.
        selected: path and size of the files to measure; None selects all that a browser runs.

    Raises:
        UsageError: a browser runs none of them, or the artifact holds no such file and size.
    """
    base = job.new_job(job.job_cells(manifest, SUFFIXES, selected), plan)
    passes = _passes(manifest)
    paths = {cell.subject.path for cell in passes}
    content, styles = examples("content"), examples("style")
    return PageJobFact(
        schema_version=base.schema_version,
        version=base.version,
        commit=base.commit,
        nonce=base.nonce,
        plan=plan,
        cells=base.cells,
        network=manifest.network,
        tilings=tuple(t for t in manifest.tilings if {one.path for one in t.passes} <= paths),
        passes=passes,
        others=tuple(_others(manifest)),
        styles=manifest.styles,
        examples=ExamplesFact(content=content[0].name, styles=tuple(p.name for p in styles)),
        shipped=_shipped(manifest),
        packages=versions(),
    )


def _shipped(manifest: Manifest) -> ShippedFact | None:
    file = shipped_styles(manifest)
    if file is None:
        return None
    facts = file.facts.styles
    paintings = {fact.name: f"{fact.title}, {fact.author}, {fact.year}" for fact in facts}
    return ShippedFact(file=file.path.name, paintings=paintings)


def _passes(manifest: Manifest) -> tuple[job.JobCell, ...]:
    return tuple(
        job.JobCell.of(SubjectFact.of(manifest, file), file, probe)
        for probe in manifest.probes
        if probe.role is Role.RENDER
        for file in manifest.files
        if file.role in PASSES and Path(file.path).suffix in SUFFIXES
    )


def _others(manifest: Manifest) -> Generator[OtherFact]:
    for fact in manifest.files:
        if fact.role not in PASSES and Path(fact.path).suffix not in SUFFIXES:
            yield OtherFact(fact.path, f"browsers do not run {fact.target} files")
