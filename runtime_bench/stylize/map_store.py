"""Feature maps of a whole picture in files, read and written window by window."""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.tiling_fact import MapFact
from styleexport.core.types import Size
from styleexport.runtime_bench.stylize.tiles import Span


class StoredMap:
    """A map, [channels, height, width], float32, in a file of rows: [height, channels, width].

    Args:
        path: file to make.
        channels: number of channels.
        size: height and width.
    """

    def __init__(self, path: Path, channels: int, size: Size) -> None:
        self.path = path
        shape = (size.height, channels, size.width)
        self._rows = np.memmap(path, np.float32, "w+", shape=shape)

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
        self._rows.flush()
        mapped = self._rows._mmap  # pyright: ignore[reportAttributeAccessIssue]
        if hasattr(mapped, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Remove the file."""
        del self._rows
        self.path.unlink(missing_ok=True)


class MapStore:
    """The maps of one picture, by name; a context manager that removes its files.

    Args:
        folder: where the files are made; None for the system's folder of temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="styleexport-maps-", dir=folder)
        self._maps: dict[str, StoredMap] = {}

    def __enter__(self) -> MapStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove all maps."""
        for name in list(self._maps):
            self.remove(name)
        self._folder.cleanup()

    def add(self, fact: MapFact, size: Size) -> None:
        """Make room for a map."""
        path = Path(self._folder.name) / fact.name
        self._maps[fact.name] = StoredMap(path, fact.channels, size)

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
