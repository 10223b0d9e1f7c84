"""Parts that a killed process leaves beside the place of what it wrote, and their removal."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Generator
from pathlib import Path

from styleexport.core.input_files import is_folder
from styleexport.core.locks import FOLDER_LOCK, own

# `.part` is being written; `.old` was at the place, on systems that cannot exchange two folders.
PART = re.compile(r"\.(?P<name>.+)\.styleexport-[0-9a-f]{8}\.(?P<kind>part|old)", re.DOTALL)


def entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted, without a lock of ours and what killed processes left."""
    return sorted(path for path in folder.iterdir() if not is_scratch(path))


def is_scratch(path: Path) -> bool:
    """Whether a name is that of a lock or an unfinished part, as a killed process leaves them."""
    return path.name.endswith(FOLDER_LOCK) or PART.fullmatch(path.name) is not None


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder, and put a folder back that was moved aside.

    Processes that live keep a lock on what they write.
    """
    for path in _leftovers(folder):
        match = PART.fullmatch(path.name)
        assert match is not None
        with contextlib.suppress(OSError):
            part = path.with_suffix(".part")
            with _owned(part if os.path.lexists(part) else path):
                place = folder / match["name"]
                if match["kind"] == "old" and not os.path.lexists(place):
                    path.rename(place)
                else:
                    remove(path)


def recover(path: Path) -> None:
    """Put a folder back that a killed process had moved aside to replace it."""
    if not os.path.lexists(path) and is_folder(path.parent):
        with contextlib.suppress(OSError):
            remove_leftovers(path.parent)


def _leftovers(folder: Path) -> list[Path]:
    """Return the parts in a folder, moved-aside folders first: theirs must be put back."""
    try:
        names = [name for name in os.listdir(folder) if PART.fullmatch(name)]  # noqa: PTH208
    except OSError:
        return []
    return [folder / name for name in sorted(names, key=lambda name: not name.endswith(".old"))]


@contextlib.contextmanager
def _owned(path: Path) -> Generator[None]:
    """Own a part inside the block.

    Raises:
        BlockingIOError: a process that lives owns it.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not own(descriptor):
            raise BlockingIOError(errno.EAGAIN, "is owned", str(path))
        yield
    finally:
        os.close(descriptor)
