"""Input files: every path that a user names is opened here, and only regular files are.

A pipe, socket or device can block for ever or never end, and a chain of links can lead nowhere.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from styleexport.core.errors import StyleExportError, UsageError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
# A pipe without a writer then opens at once; a regular file is read as always.
FLAGS = os.O_RDONLY | sum(  # those that this system has
    getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
)


def open_input(
    path: Path,
    what: str = "",
    *,
    error: type[StyleExportError] = UsageError,
    remedy: str = "type the path of a file",
) -> BufferedReader:
    """Return a regular file opened for reading; never wait for one that is something else.

    Args:
        path: path of the file; links are followed.
        what: noun put before the path in messages: ``image``.
        error: error that is raised.
        remedy: what to type instead.

    Raises:
        StyleExportError: ``error``: the file is missing, not readable or not a regular file.
    """
    name = f"{what} {path}".strip()
    try:
        # Opening some devices does something to them, so the kind is looked at before.
        _check_kind(path.stat().st_mode, name, error, remedy)
        descriptor = os.open(path, FLAGS)
        try:
            _check_kind(os.fstat(descriptor).st_mode, name, error, remedy)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(f"{name} does not exist; {remedy}") from cause
    except OSError as cause:
        raise error(f"{name} cannot be read: {cause.strerror or cause}; {remedy}") from cause
    except ValueError as cause:  # a NUL character, or a lone surrogate
        raise error(f"{name!r} is no path: {cause}; {remedy}") from cause


def read_input(
    path: Path,
    what: str = "",
    *,
    error: type[StyleExportError] = UsageError,
    remedy: str = "type the path of a file",
) -> bytes:
    """Return the contents of a regular file; see `open_input`."""
    with open_input(path, what, error=error, remedy=remedy) as file:
        try:
            return file.read()
        except OSError as cause:
            name = f"{what} {path}".strip()
            raise error(f"{name} cannot be read: {cause.strerror or cause}; {remedy}") from cause


def check_input(
    path: Path,
    what: str = "",
    *,
    error: type[StyleExportError] = UsageError,
    remedy: str = "type the path of a file",
) -> None:
    """Check that a library that takes a path is given a regular file; see `open_input`."""
    open_input(path, what, error=error, remedy=remedy).close()


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; False where it leads nowhere, however wrong it is."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _check_kind(mode: int, name: str, error: type[StyleExportError], remedy: str) -> None:
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "a special file")
        raise error(f"{name} is {kind}, expected a regular file; {remedy}")
