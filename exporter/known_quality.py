"""Quality reports kept from one export to the next: a file of the same bytes is not judged again.

What a file loses depends on its bytes, on the float graph, on the pictures and the style codes that
both are run on, on the code and the libraries that run and judge it, and on the processor, whose
kernels round in their own way. The digest of all of these is the key of its report.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

from styleexport.core.assets import folder
from styleexport.core.cache import remembered
from styleexport.core.manifest import sha256_of_file
from styleexport.core.types import Size
from styleexport.exporter.graph.graph import Graph
from styleexport.runtime_bench.machine.environment import RUNTIMES
from styleexport.runtime_bench.machine.host import Host
from styleexport.runtime_bench.quality.report import QualityReport

ROOMS = ("styleexport.core", "styleexport.models", "styleexport.runtime_bench")
LIBRARIES = (*RUNTIMES, "numpy", "scipy", "pillow")


def known_quality(
    file: Path,
    graph: Graph,
    size: Size,
    codes: Callable[[Size], bytes],
    judge: Callable[[], QualityReport],
) -> QualityReport:
    """Return the quality of a file at one size, from the cache if it was judged before.

    Args:
        file: file that is judged.
        graph: float32, the reference.
        size: size of the pictures.
        codes: returns the style codes of the pictures at a size, as bytes.
        judge: runs the file, and returns its quality.
    """
    parts = (sha256_of_file(file), graph.digest(), str(graph.size), str(size), *_here())
    key = hashlib.sha256(" ".join(parts).encode() + codes(size)).hexdigest()
    return remembered("quality", key, QualityReport, judge)


@functools.cache
def _here() -> tuple[str, ...]:
    """Return code, pictures, libraries and processor, all that is the same for every file."""
    host, digest = Host(), hashlib.sha256()
    for file in _own_files():
        digest.update(file.read_bytes())
    return (digest.hexdigest(), host.processor(), *host.features(), *_versions())


def _own_files() -> Iterator[Path]:
    """Yield what runs, judges and draws, shipped weights (the loss network's among them) too."""
    for room in ROOMS:
        for suffix in ("py", "safetensors"):
            yield from sorted(Path(str(resources.files(room))).rglob(f"*.{suffix}"))
    yield from sorted(file for file in folder().iterdir() if file.is_file())


def _versions() -> Iterator[str]:
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield f"{name} {importlib.metadata.version(name)}"
