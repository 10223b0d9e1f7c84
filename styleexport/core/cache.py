"""What was measured once and depends on nothing but its key, kept between runs.

It lies in ``$STYLEEXPORT_CACHE``, or in ``styleexport`` below the user's cache folder. Everything
in it may be deleted at any time; what cannot be read is measured again.
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

T = TypeVar("T")


def cache_folder() -> Path:
    """Return the folder of the cache, whether it exists or not."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "styleexport"


def remembered(kind: str, key: str, of: type[T], make: Callable[[], T]) -> T:
    """Return what is kept under a key, or make and keep it.

    Args:
        kind: of what is kept, a folder name.
        key: a digest over everything that the value depends on.
        of: its type, a msgspec struct.
        make: makes it.
    """
    path = cache_folder() / kind / f"{key}.json"
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=of)
    value = make()
    with contextlib.suppress(
        OSError, DeviceError
    ):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as part:
            part.write_bytes(msgspec.json.encode(value))
    return value
