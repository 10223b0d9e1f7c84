"""Paths of the iOS harness and of its Swift files."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HARNESS = ROOT / "ios_harness"
STUBS = Path(__file__).resolve().parent / "stubs"
BUILD_FOLDERS = {".build", ".swiftpm", "DerivedData"}


def swift_files() -> list[Path]:
    """Return every Swift file of the harness and every stub, sorted."""
    files = (path for folder in (HARNESS, STUBS) for path in folder.rglob("*.swift"))
    return sorted(path for path in files if not BUILD_FOLDERS & set(path.relative_to(ROOT).parts))


def package_digest() -> str:
    """Return the sha256 over the path and content of every file that the package is built from."""
    digest = hashlib.sha256()
    for path in swift_files():
        if (HARNESS / "App") not in path.parents and STUBS not in path.parents:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
