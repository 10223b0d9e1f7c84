"""Feature maps of a whole picture in files, read and written window by window."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.errors import DeviceError
from styleexport.core.tiling_fact import MapFact
from styleexport.runtime_bench.tiling.tiles import Sides, Span

# Maps of up to so many bytes are not worth a file.
IN_MEMORY_BYTES = 64 * 2**20


class StoredMap:
    """A map, [channels, height, width], float32, in a file of rows: [height, channels, width].

    A small one is kept in memory. Where the system allows it the file has no name, so that nothing
    is left when the process ends; its room is taken at once, so that a full disk shows before.

    Args:
        folder: where the file is made; None for the system's folder of temporary files.
        channels: number of channels.
        size: height and width.

    Raises:
        DeviceError: the disk has no room.
    """

    def __init__(self, folder: Path | None, channels: int, size: Sides) -> None:
        shape = (size.height, channels, size.width)
        count = 4 * math.prod(shape)
        self._file = None
        if count <= IN_MEMORY_BYTES:
            self._rows = np.empty(shape, np.float32)
            return
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the map
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, count)
            self._rows = np.memmap(self._file, np.float32, "r+", shape=shape)
        except OSError as error:
            self._file.close()
            raise DeviceError(
                f"no room for a feature map of {count / 1e9:.1f} GB: {error.strerror}; set TMPDIR "
                "to a folder on a larger disk"
            ) from error

    def write(self, rows: Span, columns: Span, window: Array) -> None:
        """Write a tile's part of the map of its window, [1, channels, height, width]."""
        inner = window[
            0,
            :,
            rows.begin - rows.start : rows.end - rows.start,
            columns.begin - columns.start : columns.end - columns.start,
        ]
        self._rows[rows.begin : rows.end, :, columns.begin : columns.end] = inner.swapaxes(0, 1)

    def window(self, top: int, left: int, height: int, width: int) -> Array:
        """Return a window, [1, channels, height, width]."""
        part = self._rows[top : top + height, :, left : left + width]
        return np.ascontiguousarray(part.swapaxes(0, 1))[None]

    def release(self) -> None:
        """Give back the memory of what was read and written; the file keeps it."""
        mapped = getattr(self._rows, "_mmap", None)
        if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Remove the file."""
        del self._rows
        if self._file is not None:
            self._file.close()


class MapStore:
    """The maps of one picture, by name.

    Args:
        folder: where the files are made; None for the system's folder of temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._maps: dict[str, StoredMap] = {}

    def close(self) -> None:
        """Remove all maps."""
        for name in list(self._maps):
            self.remove(name)

    def add(self, fact: MapFact, size: Sides) -> None:
        """Make room for a map."""
        self._maps[fact.name] = StoredMap(self._folder, fact.channels, size)

    def remove(self, name: str) -> None:
        """Remove a map."""
        self._maps.pop(name).close()

    def release(self) -> None:
        """Give back the memory of all maps; see `StoredMap.release`."""
        for item in self._maps.values():
            item.release()

    def names(self) -> set[str]:
        """Return the names of the maps."""
        return set(self._maps)

    def __getitem__(self, name: str) -> StoredMap:
        return self._maps[name]
