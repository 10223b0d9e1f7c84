"""Who may use a host: many who export, or one who measures. The system's own file lock says so.

It holds between all sweeps and all users of the host's temporary folder, and a process that is
killed gives it back.
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
    """Return the file that is locked."""
    return Path(tempfile.gettempdir()) / "styleexport-host.lock"


@contextlib.contextmanager
def host_lock(*, alone: bool) -> Generator[None]:
    """Hold this host inside the block: alone to measure, with others to export.

    Where the system has no such locks (Windows), one sweep at a time is for the user to see to.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = _open(lock_path())
    try:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
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
    """Return a descriptor of a file that may be another user's: reading is enough to lock it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return os.open(path, flags | os.O_CREAT, 0o644)
