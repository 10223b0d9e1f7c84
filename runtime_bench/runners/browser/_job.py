"""What the server asks of the page: a job, and what the page paints with."""

from __future__ import annotations

from collections.abc import Collection, Generator
from pathlib import Path
from typing import Literal

import msgspec

from styleexport.core.manifest import Manifest, NetworkFact, StylePackFact
from styleexport.core.types import Size
from styleexport.runtime_bench.contract import job
from styleexport.runtime_bench.runners.browser._assets import examples
from styleexport.runtime_bench.runners.browser._packages import versions

SUFFIXES = (".onnx", ".tflite")


class PagePlanFact(job.PlanFact, frozen=True, kw_only=True):
    """How the page measures.

    Attributes:
        auto: whether it begins by itself.
        backend: of the runtimes.
    """

    auto: bool = False
    backend: Literal["wasm", "webgpu"] = "wasm"


class OtherFact(msgspec.Struct, frozen=True):
    """A file of the artifact that no browser runs, and why."""

    path: str
    reason: str


class ExamplesFact(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the shipped pictures that the page offers."""

    content: str
    styles: tuple[str, ...]


class PageJobFact(job.JobFact, frozen=True, kw_only=True):
    """All that the page is told, as JSON.

    Attributes:
        plan: how to measure.
        network: what the files compute.
        others: files that no browser runs.
        styles: packs of style codes.
        examples: pictures to begin with.
        packages: JavaScript package → version.
    """

    plan: PagePlanFact
    network: NetworkFact
    others: tuple[OtherFact, ...]
    styles: tuple[StylePackFact, ...]
    examples: ExamplesFact
    packages: dict[str, str]


def job_of(
    manifest: Manifest,
    plan: PagePlanFact,
    wanted: Collection[tuple[str, Size]] | None = None,
) -> PageJobFact:
    """Return the job of an artifact; every answer of the server puts a new nonce into it.

    Args:
        manifest: of the artifact.
        plan: how to measure.
        wanted: path and size of the files to measure; None is all that a browser runs.

    Raises:
        UsageError: a browser runs none of them, or the artifact holds no such file and size.
    """
    asked = job.new_job(job.job_cells(manifest, SUFFIXES, wanted), plan)
    content, styles = examples("content"), examples("style")
    return PageJobFact(
        schema_version=asked.schema_version,
        version=asked.version,
        commit=asked.commit,
        nonce=asked.nonce,
        plan=plan,
        cells=asked.cells,
        network=manifest.network,
        others=tuple(_others(manifest)),
        styles=manifest.styles,
        examples=ExamplesFact(content=content[0].name, styles=tuple(p.name for p in styles)),
        packages=versions(),
    )


def _others(manifest: Manifest) -> Generator[OtherFact]:
    for fact in manifest.files:
        if Path(fact.path).suffix not in SUFFIXES:
            yield OtherFact(fact.path, f"browsers do not run {fact.target} files")
