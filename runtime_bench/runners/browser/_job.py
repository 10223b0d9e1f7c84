"""What the server asks of the page: the files with their probes, the plan, a nonce."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Generator
from pathlib import Path
from typing import Literal

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.manifest import (
    Manifest,
    NetworkFact,
    SizeFact,
    StylePackFact,
    TensorFact,
)
from styleexport.core.types import Size
from styleexport.runtime_bench import environment
from styleexport.runtime_bench.latency import SCHEMA_VERSION, SubjectFact
from styleexport.runtime_bench.parity import ALLOWED_DB
from styleexport.runtime_bench.runners.browser._assets import examples
from styleexport.runtime_bench.runners.browser._packages import versions

SUFFIXES = (".onnx", ".tflite")


class PlanFact(msgspec.Struct, frozen=True, kw_only=True):
    """How the page measures: by the rules of the desktop bench.

    Attributes:
        auto: whether it begins by itself.
        rounds: turns of every file.
        seconds: that a turn lasts at least.
        min_samples: that a turn takes at least.
        settling_runs: at the start of a turn, not kept.
        window: inferences whose median must agree with that of as many before.
        tolerance: by which they may differ.
        warm_up_least_seconds: that warming up takes at least.
        warm_up_seconds: after which it ends, stable or not; two windows are run in any case.
        seed: of the order in each round.
        threads: of WebAssembly; None leaves it to the page.
        backend: of the runtimes.
    """

    auto: bool = False
    rounds: int = 7
    seconds: float = 0.5
    min_samples: int = 5
    settling_runs: int = 2
    window: int = 5
    tolerance: float = 0.03
    warm_up_least_seconds: float = 0.3
    warm_up_seconds: float = 10.0
    seed: int = 0
    threads: int | None = None
    backend: Literal["wasm", "webgpu"] = "wasm"


class CellWish(msgspec.Struct, frozen=True, kw_only=True):
    """One file at one size: what it is, what it takes and gives, and the probe that proves it."""

    subject: SubjectFact
    size: SizeFact
    probe: str
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    allowed_db: float


class OtherFact(msgspec.Struct, frozen=True):
    """A file of the artifact that no browser runs, and why."""

    path: str
    reason: str


class ExamplesFact(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the shipped pictures that the page offers."""

    content: str
    styles: tuple[str, ...]


class JobFact(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page is told, as JSON.

    Attributes:
        schema_version: of the report that is wanted.
        version: of styleexport.
        commit: of it; None where nobody knows.
        nonce: that the report must bear; every answer has a new one.
        network: what the files compute.
        plan: how to measure.
        cells: what to measure and to paint with.
        others: files that no browser runs.
        styles: packs of style codes.
        examples: pictures to begin with.
        packages: JavaScript package → version.
    """

    schema_version: int
    version: str
    commit: str | None
    nonce: str
    network: NetworkFact
    plan: PlanFact
    cells: tuple[CellWish, ...]
    others: tuple[OtherFact, ...]
    styles: tuple[StylePackFact, ...]
    examples: ExamplesFact
    packages: dict[str, str]


def job_of(
    manifest: Manifest, plan: PlanFact, wanted: Collection[tuple[str, Size]] | None = None
) -> JobFact:
    """Return the job of an artifact.

    Args:
        manifest: of the artifact.
        plan: how to measure.
        wanted: path and size of the files to measure; None is all that a browser runs.

    Raises:
        UsageError: a browser runs none of them, or the artifact holds no such file and size.
    """
    cells = tuple(
        cell
        for cell in _cells(manifest)
        if wanted is None or (cell.subject.path, cell.size.size()) in wanted
    )
    if not cells or (wanted is not None and len(cells) < len(set(wanted))):
        held = ", ".join(f"{cell.subject.path}" for cell in _cells(manifest)) or "none"
        raise UsageError(
            f"the artifact holds {'not all of the files' if cells else 'no file'} that a browser "
            f"was to run: it runs {' and '.join(SUFFIXES)} with a probe, here {held}"
        )
    content, styles = examples("content"), examples("style")
    return JobFact(
        schema_version=SCHEMA_VERSION,
        version=_version(),
        commit=environment.commit(),
        nonce="",
        network=manifest.network,
        plan=plan,
        cells=cells,
        others=tuple(_others(manifest)),
        styles=manifest.styles,
        examples=ExamplesFact(content=content[0].name, styles=tuple(p.name for p in styles)),
        packages=versions(),
    )


def _version() -> str:
    try:
        return importlib.metadata.version("styleexport")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cells(manifest: Manifest) -> Generator[CellWish]:
    """Yield a cell for each file that browsers run and each probe that it takes."""
    for fact in manifest.files:
        if Path(fact.path).suffix not in SUFFIXES:
            continue
        for probe in manifest.probes:
            if probe.role is fact.role and fact.takes(probe.size):
                yield CellWish(
                    subject=SubjectFact.of(manifest, fact),
                    size=probe.size,
                    probe=probe.path,
                    inputs=fact.inputs,
                    outputs=fact.outputs,
                    allowed_db=ALLOWED_DB[fact.precision],
                )


def _others(manifest: Manifest) -> Generator[OtherFact]:
    for fact in manifest.files:
        if Path(fact.path).suffix not in SUFFIXES:
            yield OtherFact(fact.path, f"browsers do not run {fact.target} files")
