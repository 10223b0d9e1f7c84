"""Renaming as Linux and macOS can do it in one step: two folders exchanged, nothing replaced."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path
from typing import Any

# renameat2 of Linux and renamex_np of macOS.
EXCHANGE, NO_REPLACE, CURRENT_FOLDER = 2, {"linux": 1, "darwin": 4}, -100


def exchange(part: Path, path: Path) -> bool:
    """Exchange two folders in one step; return False where the system cannot."""
    return _rename(part, path, EXCHANGE)


def rename_new(part: Path, path: Path) -> bool:
    """Move a file to a place where nothing is; return False if something appeared there."""
    flag = NO_REPLACE.get(sys.platform, 0)
    try:
        if flag and _rename(part, path, flag):
            return True
        os.link(part, path)  # fails where something is, unlike a renaming
        return True
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        part.rename(path)
        return True


def _rename(part: Path, path: Path, flag: int) -> bool:
    """Rename with a flag of the system; return False where it has none.

    Raises:
        OSError: it has, and the renaming failed.
    """
    library: Any = ctypes.CDLL(None, use_errno=True) if sys.platform in NO_REPLACE else None
    a, b = os.fsencode(part), os.fsencode(path)
    try:
        if sys.platform == "linux":
            code = library.renameat2(CURRENT_FOLDER, a, CURRENT_FOLDER, b, flag)
        elif sys.platform == "darwin":
            code = library.renamex_np(a, b, flag)
        else:
            return False
    except AttributeError:  # an old C library
        return False
    if code == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # an old kernel, or a file system
        return False
    raise OSError(number, os.strerror(number), str(path))
