"""Cache on disk of measurements that depend on nothing but their key.

Its folder is ``$STYLEEXPORT_CACHE``, or ``styleexport`` in the user's cache folder. Entries may be
deleted at any time, and the oldest of a kind are above 500 MB; one that cannot be read is made
again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from styleexport.core.errors import DeviceError
from styleexport.core.files import replace_file

VARIABLE = "STYLEEXPORT_CACHE"
# Of all entries of one kind.
MOST_BYTES = 500 * 10**6

T = TypeVar("T")


def cache_folder() -> Path:
    """Return the folder of the cache, which need not exist."""
    if folder := os.environ.get(VARIABLE):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "styleexport"


def remembered(kind: str, key: str, of: type[T], make: Callable[[], T]) -> T:
    """Return the cached value of a key, or compute and store it.

    Args:
        kind: kind of value, the name of a folder.
        key: digest over everything that the value depends on.
        of: type of the value, a msgspec struct.
        make: computes the value.
    """
    path = cache_folder() / kind / f"{key}.json"
    with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(path.read_bytes(), type=of)
    value = make()
    with contextlib.suppress(
        OSError, DeviceError
    ):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as part:
            part.write_bytes(msgspec.json.encode(value))
        _drop_oldest(path.parent)
    return value


def _drop_oldest(folder: Path) -> None:
    """Delete the oldest entries of one kind until they take no more than `MOST_BYTES`."""
    size = 0
    facts = sorted(((x.stat(), x) for x in folder.iterdir()), key=lambda x: -x[0].st_mtime)
    for fact, entry in facts:
        size += fact.st_size
        if size > MOST_BYTES:
            entry.unlink(missing_ok=True)
