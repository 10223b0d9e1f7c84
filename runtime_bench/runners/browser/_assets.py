"""What the server hands out: a list of names made before the first request, and nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from styleexport.core import assets
from styleexport.core.manifest import Manifest
from styleexport.runtime_bench.runners.browser._packages import FILES, PAGE, packages_folder

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".wasm": "application/wasm",
    ".jpg": "image/jpeg",
    ".onnx": "application/octet-stream",
    ".tflite": "application/octet-stream",
    ".safetensors": "application/octet-stream",
}
INDEX = ""


@dataclass(frozen=True)
class Asset:
    """A file that is handed out.

    Attributes:
        path: on disk; never made from what a client sends.
        lasting: whether a browser may keep it for a while.
    """

    path: Path
    lasting: bool = False

    @property
    def media_type(self) -> str:
        """Its MIME type."""
        return TYPES[self.path.suffix]

    @cached_property
    def compressed(self) -> bytes | None:
        """The file in gzip: kept beside packages, made for texts; None for all others."""
        beside = self.path.with_name(f"{self.path.name}.gz")
        if self.lasting and beside.is_file():
            return beside.read_bytes()
        if self.media_type.startswith("text/"):
            return gzip.compress(self.path.read_bytes(), 6, mtime=0)
        return None


def assets_of(folder: Path, manifest: Manifest) -> Mapping[str, Asset]:
    """Return path below the token → file: the page, its packages, the artifact, example pictures.

    Of the artifact only what a browser can use is there: files that are one file, probes and packs
    of styles.
    """
    found = {INDEX: Asset(PAGE / "index.html")}
    for path in sorted((*PAGE.glob("*.js"), *PAGE.glob("*.css"))):
        found[f"page/{path.name}"] = Asset(path)
    for name in FILES:
        found[f"packages/{name}"] = Asset(packages_folder() / name, lasting=True)
    for fact in (*manifest.files, *manifest.probes, *manifest.styles):
        path = folder / fact.path
        if path.suffix in TYPES and path.is_file():
            found[f"artifact/{fact.path}"] = Asset(path)
    for path in (*examples("content"), *examples("style")):
        found[f"examples/{path.name}"] = Asset(path)
    return found


def examples(kind: str) -> tuple[Path, ...]:
    """Return the shipped pictures that the page offers: one photograph, a few paintings."""
    shipped = assets.bundled(kind)
    return tuple(shipped[:4]) if kind == "style" else (assets.folder() / assets.DEMO_CONTENT,)
