"""Bounds on what a zip archive unpacks to, checked on its directory before anything is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

from styleexport.core.errors import StyleExportError

# The largest backbones of style transfer have 0.6 GB of weights.
MAX_BYTES = 4 << 30
MAX_ENTRIES = 100_000


def check_unpacked(path: Path, what: str, error: type[StyleExportError]) -> None:
    """Check that an archive unpacks to what memory can hold; other files pass.

    Args:
        path: path of the file.
        what: noun put before the path in the message.
        error: error that is raised.

    Raises:
        StyleExportError: ``error``: it holds too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES or len(infos) > MAX_ENTRIES:
        raise error(
            f"{what} {path} unpacks to {total / 1e9:.1f} GB in {len(infos)} entries, more than the "
            f"{MAX_BYTES / 1e9:.1f} GB and {MAX_ENTRIES} entries allowed: it is no file of weights"
        )
