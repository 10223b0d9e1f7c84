"""Painting of pictures of any size in tiles, exactly as if they were one.

Each pass sees all tiles, and only then are its statistics known (`core/tiling_fact.py`). Passes
that do not depend on the style are run once: another strength or style renders from the maps that
they stored.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from styleexport.core.arrays import Array, Arrays
from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.tiling.files import TiledFiles
from styleexport.runtime_bench.tiling.map_store import MapStore
from styleexport.runtime_bench.tiling.pass_run import (
    STYLES,
    Features,
    PassRun,
    Settle,
    Write,
    check_finite,
)
from styleexport.runtime_bench.tiling.pictures import ArrayPicture, Picture
from styleexport.runtime_bench.tiling.tiles import Merged, Sides, on_grid, stored_bytes, tiles

# Windows that go through one file after the other.
AT_ONCE = 8
# Called with tiles done, and all tiles of the painting.
Count = Callable[[int, int], None]


class TiledPainter:
    """Paints pictures with the files of a tiling.

    Args:
        files: files of the tiling.
        settle: see `Settle`; None takes statistics as they are.
        folder: where maps are stored; None for the system's folder of temporary files.
    """

    def __init__(
        self, files: TiledFiles, settle: Settle | None = None, folder: Path | None = None
    ) -> None:
        self.files, self.settle, self.folder = files, settle, folder
        self.tiling = files.tiling

    def paint(
        self, picture: Picture, inputs: Arrays, write: Write, count: Count = lambda *_: None
    ) -> None:
        """Paint a picture.

        Args:
            picture: the photograph.
            inputs: ``style_code`` and ``strength``, where the files take them.
            write: takes the painting tile by tile.
            count: takes the number of tiles done, and of all.

        Raises:
            DeviceError: the disk has no room for the maps.
            ParityFailure: a file computes values that are not finite.
        """
        with self.features(picture, count, keep=False) as features:
            self.render(features, inputs, write, count)

    def painting(self, inputs: Arrays) -> Array:
        """Return the painting of a picture in memory, [1, 3, scale·H, scale·W] in 0..1.

        Args:
            inputs: ``content`` [1, 3, H, W] in 0..1, and what else the files take.

        Raises:
            DeviceError: the disk has no room for the maps.
            ParityFailure: a file computes values that are not finite.
        """
        parts: list[tuple[slice, slice, Array]] = []
        picture = ArrayPicture(np.asarray(inputs["content"]))
        self.paint(picture, inputs, lambda *part: parts.append(part))
        sides = max(rows.stop for rows, *_ in parts), max(part[1].stop for part in parts)
        image = np.empty((1, 3, *sides), np.float32)
        for rows, columns, pixels in parts:
            image[:, :, rows, columns] = pixels
        return image

    def total(self, picture: Sides) -> int:
        """Return the number of tiles of all passes."""
        sides = on_grid(picture, self.tiling)
        return sum(len(tiles(sides, self.tiling, one)) for one in self.tiling.passes)

    def needed_bytes(self, picture: Sides, *, keep: bool = False) -> int:
        """Return the bytes of disk that maps take."""
        sides = on_grid(picture, self.tiling)
        reads = [{item.name for item in fact.inputs} for fact in self.files.facts]
        gives = [{item.name for item in fact.outputs} for fact in self.files.facts]
        kept = set[str]().union(*gives[: self.files.shared]) if keep else set[str]()
        return stored_bytes(sides, self.tiling, reads, gives, kept)

    @contextlib.contextmanager
    def features(
        self, picture: Picture, count: Count = lambda *_: None, *, keep: bool = True
    ) -> Generator[Features]:
        """Run the passes that do not depend on the style; their maps are removed at the end.

        Args:
            picture: the photograph.
            count: see `paint`.
            keep: whether the maps are kept after `render`, for another one.

        Raises:
            DeviceError: the disk has no room for the maps.
            ParityFailure: a file computes values that are not finite.
        """
        self._check_room(picture.size, keep)
        total, done = self.total(picture.size), 0
        with contextlib.closing(MapStore(self.folder)) as store:
            features = Features(picture, store)
            run = PassRun(self.files, self.settle, features, {}, _no_picture)
            for number in range(self.files.shared):
                for _ in run.tiles_of(number):
                    done += 1
                    count(done, total)
                run.drop_unread(number, set())
            yield features

    def _check_room(self, picture: Sides, keep: bool) -> None:
        needed = self.needed_bytes(picture, keep=keep)
        folder = self.folder or Path(tempfile.gettempdir())
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise DeviceError(
                f"{folder} has {free / 1e9:.1f} GB free, and the feature maps of a picture of "
                f"{picture} take {needed / 1e9:.1f} GB: set TMPDIR to a folder with more room"
            )

    def render(
        self,
        features: Features,
        inputs: Arrays,
        write: Write,
        count: Count = lambda *_: None,
        *,
        keep: bool = False,
    ) -> dict[str, Merged]:
        """Run the passes that depend on the style, on what `features` gave; see `paint`.

        Returns the statistics of all passes.
        """
        total = self.total(features.picture.size)
        own = replace(
            features, statistics=dict(features.statistics), settled=dict(features.settled)
        )
        run = PassRun(self.files, self.settle, own, inputs, write)
        done = sum(len(run.tiles(number)) for number in range(self.files.shared))
        kept = features.store.names() if keep else set[str]()
        for number in range(self.files.shared, len(self.files.facts)):
            for _ in run.tiles_of(number):
                done += 1
                count(done, total)
            run.drop_unread(number, kept)
        return own.statistics

    def sweep(
        self,
        picture: Picture,
        statistics: Mapping[str, Merged],
        inputs: Arrays,
        write: Write,
        count: Count = lambda *_: None,
    ) -> None:
        """Paint a picture by statistics that are known, all passes at once, tile by tile.

        Nothing is stored: each window goes through all passes, whose margins add up.

        Args:
            picture: the photograph.
            statistics: name → values, of this picture or of a smaller copy.
            inputs: see `paint`.
            write: see `paint`.
            count: see `paint`.

        Raises:
            UsageError: a window is all margin.
            ParityFailure: a file computes values that are not finite.
        """
        passes = self.tiling.passes
        margins = {
            side: sum(getattr(one, side) for one in passes)
            for side in ("top", "bottom", "left", "right")
        }
        whole = msgspec.structs.replace(passes[-1], **margins)
        given = {fact.name: fact for fact in self.tiling.statistics}
        values = {name: statistics[name].given(fact) for name, fact in given.items()}
        sides = on_grid(picture.size, self.tiling)
        run = PassRun(
            self.files, self.settle, Features(picture, MapStore(self.folder)), inputs, write
        )
        every = tiles(sides, self.tiling, whole)
        style = {name: inputs[name] for name in STYLES if name in inputs}
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(self.files.open(file)) for file in self.files.facts]
            for start in range(0, len(every), AT_ONCE):
                some = every[start : start + AT_ONCE]
                known = [values | style | run.window_of(tile) for tile in some]
                # Threads of a runtime wait for more work for a while, in the way of another's.
                for file, one in zip(self.files.facts, opened, strict=True):
                    names = [item.name for item in file.inputs]
                    outputs = [one({name: x[name] for name in names}) for x in known]
                    for each in outputs:
                        check_finite(file, each)
                    known = [x | each | values for x, each in zip(known, outputs, strict=True)]
                for tile, each in zip(some, known, strict=True):
                    run.give(tile, each["image"])
                count(start + len(some), len(every))

    def statistics(
        self, picture: Picture, inputs: Arrays, count: Count = lambda *_: None
    ) -> dict[str, Merged]:
        """Return the statistics of a picture, of all passes, by name; see `paint`."""
        with self.features(picture, count, keep=False) as features:
            return self.render(features, inputs, lambda *_: None, count)


def _no_picture(rows: slice, columns: slice, pixels: Array) -> None:
    raise AssertionError("a pass of features gives no picture")
