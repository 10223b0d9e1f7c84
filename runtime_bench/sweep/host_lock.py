"""A host-wide lock: shared by exports, exclusive for measurements.

It is a file lock of the operating system in the temporary folder: it holds between all sweeps and
users of the host, and is released when a process is killed.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

from styleexport.core.locks import shared_file_lock


def lock_path() -> Path:
    """Return the path of the lock file."""
    return Path(tempfile.gettempdir()) / "styleexport-host.lock"


@contextlib.contextmanager
def host_lock(*, exclusive: bool) -> Generator[None]:
    """Hold the lock of this host inside the block; who holds it is said on stderr.

    Args:
        exclusive: whether to hold it alone, to measure; shared otherwise, to export.
    """
    with shared_file_lock(lock_path(), "this machine", _talk, exclusive=exclusive):
        yield


def _talk(message: str) -> None:
    sys.stderr.write(f"{message}\n")
