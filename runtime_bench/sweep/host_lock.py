"""A host-wide lock: shared by exports, exclusive for measurements.

It is a file lock of the operating system in the temporary folder: it holds between all sweeps and
users of the host, and is released when a process is killed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

WAIT_SECONDS = 0.2


def lock_path() -> Path:
    """Return the path of the lock file."""
    return Path(tempfile.gettempdir()) / "styleexport-host.lock"


@contextlib.contextmanager
def host_lock(*, exclusive: bool) -> Generator[None]:
    """Hold the lock of this host inside the block.

    Systems without such locks (Windows) rely on the user to run one sweep at a time.

    Args:
        exclusive: whether to hold it alone, to measure; shared otherwise, to export.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = _open(lock_path())
    try:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(WAIT_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Return a read-only descriptor of a file, which may be another user's: that can be locked."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o644)
