"""Files that the server hands out: a list of names fixed before the first request."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from styleexport.core import assets
from styleexport.core.manifest import Manifest
from styleexport.core.shipped_styles import StyleFile, styles_of_weights
from styleexport.runtime_bench.runners.browser._packages import FILES, PAGE, packages_folder

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".wasm": "application/wasm",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".onnx": "application/octet-stream",
    ".tflite": "application/octet-stream",
    ".safetensors": "application/octet-stream",
}
INDEX = ""


@dataclass(frozen=True)
class Asset:
    """A file that is handed out.

    Attributes:
        path: path on disk; never derived from a request.
        lasting: whether browsers may cache it.
    """

    path: Path
    lasting: bool = False

    @property
    def media_type(self) -> str:
        """MIME type."""
        return TYPES[self.path.suffix]

    @cached_property
    def compressed(self) -> bytes | None:
        """Gzipped contents: stored beside packages, made for texts; None for all others."""
        beside = self.path.with_name(f"{self.path.name}.gz")
        if self.lasting and beside.is_file():
            return beside.read_bytes()
        if self.media_type.startswith("text/"):
            return gzip.compress(self.path.read_bytes(), 6, mtime=0)
        return None


def assets_of(folder: Path, manifest: Manifest) -> Mapping[str, Asset]:
    """Return path below the token → file: the page, its packages, the artifact, example pictures.

    The artifact is limited to files that a browser can use: single-file models, probes, packs of
    styles and their thumbnails.
    """
    served = {INDEX: Asset(PAGE / "index.html")}
    for path in sorted((*PAGE.glob("*.js"), *PAGE.glob("*.css"), *PAGE.glob("*.svg"))):
        served[f"page/{path.name}"] = Asset(path)
    for name in FILES:
        served[f"packages/{name}"] = Asset(packages_folder() / name, lasting=True)
    for fact in (*manifest.files, *manifest.probes, *manifest.styles):
        path = folder / fact.path
        if path.suffix in TYPES and path.is_file():
            served[f"artifact/{fact.path}"] = Asset(path)
    for thumbnail in (fact for pack in manifest.styles for fact in pack.thumbnails):
        if thumbnail.path.endswith(".jpg"):
            served[f"artifact/{thumbnail.path}"] = Asset(folder / thumbnail.path)
    for path in (*examples("content"), *examples("style")):
        served[f"examples/{path.name}"] = Asset(path)
    if shipped := shipped_styles(manifest):
        served[f"examples/{shipped.path.name}"] = Asset(shipped.path)
    return served


def shipped_styles(manifest: Manifest) -> StyleFile | None:
    """Return the codes that ship for the weights of an artifact; None where none do."""
    return styles_of_weights(manifest.network.name, manifest.network.source_sha256)


def examples(kind: str) -> tuple[Path, ...]:
    """Return the shipped example pictures: one photograph, a few paintings."""
    shipped = assets.bundled(kind)
    return tuple(shipped[:4]) if kind == "style" else (assets.folder() / assets.DEMO_CONTENT,)
