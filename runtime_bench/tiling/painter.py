"""Painting of pictures of any size in tiles, exactly as if they were one.

Each pass sees all tiles, and only then are its statistics known (`core/tiling_fact.py`). Passes
that do not depend on the style are run once: another strength or style renders from the maps that
they stored.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from styleexport.core.arrays import Array, Arrays, Run
from styleexport.core.errors import DeviceError, ParityFailure
from styleexport.core.manifest import Manifest, TensorFact
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.tiling.map_store import MapStore
from styleexport.runtime_bench.tiling.tiles import (
    Merged,
    Span,
    Tile,
    empty,
    inner_span,
    map_sides,
    mirrored,
    on_grid,
    places,
    stored_bytes,
    tiles,
)

# Kinds of inputs that choose how a picture is painted.
STYLES = ("style_code", "strength")
# Windows that go through one file after the other.
AT_ONCE = 8
# Called with tiles done, and all tiles of the painting.
Count = Callable[[int, int], None]
# Given the statistics of a pass over the picture, [1, length] by name; returns those to take.
Settle = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class Picture(Protocol):
    """A picture that is read window by window."""

    size: Size

    def window(self, rows: Sequence[int], columns: Sequence[int]) -> Array:
        """Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1."""
        ...


@dataclass(frozen=True)
class ArrayPicture:
    """A picture in memory.

    Attributes:
        pixels: [height, width, 3], 8 bits a channel, or [1, 3, height, width] in 0..1.
    """

    pixels: np.ndarray

    @property
    def size(self) -> Size:
        """Height and width."""
        sides = self.pixels.shape[:2] if self.pixels.dtype == np.uint8 else self.pixels.shape[2:]
        return Size(*sides)

    def window(self, rows: Sequence[int], columns: Sequence[int]) -> Array:
        """Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1."""
        if self.pixels.dtype != np.uint8:
            return np.ascontiguousarray(self.pixels[:, :, rows][:, :, :, columns])
        part = self.pixels[np.asarray(rows)][:, np.asarray(columns)]
        return np.ascontiguousarray(part.transpose(2, 0, 1)[None]).astype(np.float32) / 255


class TileFile(Protocol):
    """A file of a pass: a `FileFact`, or what stands for one."""

    @property
    def path(self) -> str:
        """Name for messages."""
        ...

    @property
    def role(self) -> Role:
        """Whether it depends on the style."""
        ...

    @property
    def inputs(self) -> tuple[TensorFact, ...]:
        """Facts of the inputs."""
        ...

    @property
    def outputs(self) -> tuple[TensorFact, ...]:
        """Facts of the outputs."""
        ...


# Given rows and columns of the picture (times the network's scale) and their pixels,
# [1, 3, rows, columns] in 0..1.
Write = Callable[[slice, slice, Array], None]


@dataclass(frozen=True)
class TiledFiles:
    """The files of one tiling, to be opened pass by pass.

    Attributes:
        tiling: entry of the manifest.
        facts: file of each pass.
        open: opens a file.
    """

    tiling: TilingFact
    facts: tuple[TileFile, ...]
    open: Callable[[Any], AbstractContextManager[Run]]

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        tiling: TilingFact,
        open: Callable[[Any], AbstractContextManager[Run]],
    ) -> TiledFiles:
        """Return the files of a manifest's tiling."""
        by_path = {fact.path: fact for fact in manifest.files}
        return cls(tiling, tuple(by_path[item.path] for item in tiling.passes), open)

    @property
    def shared(self) -> int:
        """The number of passes that do not depend on the style."""
        roles = [fact.role for fact in self.facts]
        return roles.index(Role.RENDER)


@dataclass
class Features:
    """A picture after the passes that do not depend on the style.

    Attributes:
        picture: the picture.
        store: maps.
        statistics: name → values over the picture.
        settled: name → values as files take them, [1, length].
    """

    picture: Picture
    store: MapStore
    statistics: dict[str, Merged] = field(default_factory=dict[str, Merged])
    settled: dict[str, Array] = field(default_factory=dict[str, Array])


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
        sides = [max(part[axis].stop for part in parts) for axis in (0, 1)]
        image = np.empty((1, 3, *sides), np.float32)
        for rows, columns, pixels in parts:
            image[:, :, rows, columns] = pixels
        return image

    def total(self, picture: Size) -> int:
        """Return the number of tiles of all passes."""
        sides = on_grid(picture, self.tiling)
        return sum(len(tiles(sides, self.tiling, one)) for one in self.tiling.passes)

    def needed_bytes(self, picture: Size, *, keep: bool = False) -> int:
        """Return the bytes of disk that maps take."""
        sides = on_grid(picture, self.tiling)
        reads = [{t.name: t for t in fact.inputs} for fact in self.files.facts]
        gives = [{t.name: t for t in fact.outputs} for fact in self.files.facts]
        kept = frozenset(n for names in gives[: self.files.shared] for n in names) if keep else ()
        return stored_bytes(sides, self.tiling, reads, gives, frozenset(kept))

    def features(
        self, picture: Picture, count: Count = lambda *_: None, *, keep: bool = True
    ) -> _Painting:
        """Run the passes that do not depend on the style; a context manager that gives `Features`.

        Args:
            picture: the photograph.
            count: see `paint`.
            keep: whether the maps are kept after `render`, for another one.
        """
        self._check_room(picture.size, keep)
        return _Painting(self, picture, count, keep)

    def _check_room(self, picture: Size, keep: bool) -> None:
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
        run = _PassRun(self, own, inputs, write)
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
        run = _PassRun(self, Features(picture, MapStore(self.folder)), inputs, write)
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
                    known = [x | one({name: x[name] for name in names}) | values for x in known]
                for tile, outputs in zip(some, known, strict=True):
                    run.give(tile, outputs["image"])
                count(start + len(some), len(every))

    def statistics(
        self, picture: Picture, inputs: Arrays, count: Count = lambda *_: None
    ) -> dict[str, Merged]:
        """Return the statistics of a picture, of all passes, by name; see `paint`."""
        with self.features(picture, count, keep=False) as features:
            return self.render(features, inputs, lambda *_: None, count)


class _Painting(AbstractContextManager[Features]):
    """A picture whose features are computed when it is entered."""

    def __init__(self, painter: TiledPainter, picture: Picture, count: Count, keep: bool) -> None:
        self.painter, self.picture, self.count, self.keep = painter, picture, count, keep
        self.store = MapStore(painter.folder)

    def __enter__(self) -> Features:
        features = Features(self.picture, self.store)
        try:
            total, done = self.painter.total(self.picture.size), 0
            run = _PassRun(self.painter, features, {}, _no_picture)
            for number in range(self.painter.files.shared):
                for _ in run.tiles_of(number):
                    done += 1
                    self.count(done, total)
                run.drop_unread(number, set())
        except BaseException:
            self.store.close()
            raise
        return features

    def __exit__(self, *_: object) -> None:
        self.store.close()


def _no_picture(rows: slice, columns: slice, pixels: Array) -> None:
    raise AssertionError("a pass of features gives no picture")


class _PassRun:
    """One pass after the other over the tiles of a picture."""

    def __init__(
        self, painter: TiledPainter, features: Features, inputs: Arrays, write: Write
    ) -> None:
        self.painter, self.tiling, self.files = painter, painter.tiling, painter.files
        self.picture, self.store = features.picture, features.store
        self.statistics, self.settled = features.statistics, features.settled
        self.inputs, self.write = inputs, write
        self.sides = on_grid(self.picture.size, self.tiling)
        self.maps = {fact.name: fact for fact in self.tiling.maps}
        self.facts = {fact.name: fact for fact in self.tiling.statistics}

    def tiles(self, number: int) -> tuple[Tile, ...]:
        """Return the tiles of a pass."""
        return tiles(self.sides, self.tiling, self.tiling.passes[number])

    def tiles_of(self, number: int) -> Iterator[Tile]:
        """Run a pass, and yield each tile when it is done."""
        file = self.files.facts[number]
        given = [item for item in file.outputs if item.kind == "map"]
        for item in given:
            fact = self.maps[item.name]
            self.store.add(fact, map_sides(self.sides, self.tiling, fact))
        merged = {o.name: empty(self.facts[o.name]) for o in file.outputs if o.kind == "statistic"}
        values = {i.name: self.settled[i.name] for i in file.inputs if i.kind == "statistic"}
        known = {i.name: self.inputs[i.name] for i in file.inputs if i.kind in STYLES}
        with self.files.open(file) as run:
            row = -1
            for tile in self.tiles(number):
                if tile.rows.start != row:
                    self.store.release()
                    row = tile.rows.start
                outputs = run(self._windows(file, tile) | values | known)
                for item in file.outputs:
                    value = outputs[item.name]
                    if not np.isfinite(value).all():
                        raise ParityFailure(
                            f"{file.path} computes NaN or infinite values of this picture: choose "
                            "another file with --target or --precision"
                        )
                    if item.kind == "statistic":
                        fact = self.facts[item.name]
                        count = places(tile, self.sides, self.tiling, fact)
                        merged[item.name] = merged[item.name].with_tile(fact, count, value)
                    elif item.kind == "map":
                        self._store(item.name, tile, value)
                    else:
                        self.give(tile, value)
                yield tile
        self.statistics |= merged
        self.settle(merged)

    def drop_unread(self, number: int, kept: set[str]) -> None:
        """Remove maps that no pass after this one reads, but those to be kept."""
        later = {item.name for fact in self.files.facts[number + 1 :] for item in fact.inputs}
        for name in self.store.names() - later - kept:
            self.store.remove(name)

    def settle(self, statistics: Mapping[str, Merged]) -> None:
        """Keep the statistics of a pass as files take them."""
        values = {name: one.given(self.facts[name]) for name, one in statistics.items()}
        settle = self.painter.settle
        self.settled |= settle(values) if settle and values else values

    def _windows(self, file: TileFile, tile: Tile) -> dict[str, Array]:
        """Return the windows of picture and maps that a tile reads, and its region."""
        names = {item.name for item in file.inputs}
        found = self.window_of(tile, picture="content" in names)
        for name in names & self.maps.keys():
            fact = self.maps[name]
            top = tile.rows.start * fact.scale // fact.stride
            left = tile.columns.start * fact.scale // fact.stride
            found[name] = self.store[name].window(top, left, fact.height, fact.width)
        return {name: value for name, value in found.items() if name in names}

    def window_of(self, tile: Tile, *, picture: bool = True) -> dict[str, Array]:
        """Return ``region`` of a tile, and ``content``, the window of the picture."""
        found = {"region": np.array(tile.region, np.float32)}
        if picture:
            size, window = self.picture.size, self.tiling.window
            rows = mirrored(size.height, tile.rows.start, window.height)
            columns = mirrored(size.width, tile.columns.start, window.width)
            found["content"] = self.picture.window(rows, columns)
        return found

    def _store(self, name: str, tile: Tile, value: Array) -> None:
        fact = self.maps[name]
        size = map_sides(self.sides, self.tiling, fact)
        rows = inner_span(tile.rows, self.sides[0], size.height, fact)
        columns = inner_span(tile.columns, self.sides[1], size.width, fact)
        self.store[name].write(rows, columns, value)

    def give(self, tile: Tile, value: Array) -> None:
        """Write a tile's part of the painting that lies in the picture."""
        scale = value.shape[2] // self.tiling.window.height
        size = self.picture.size
        rows, row = _inside(tile.rows, size.height, scale)
        columns, column = _inside(tile.columns, size.width, scale)
        if rows.start < rows.stop and columns.start < columns.stop:
            self.write(rows, columns, value[:, :, row, column])


def _inside(span: Span, length: int, scale: int) -> tuple[slice, slice]:
    """Return a tile's pixels in the painting, and in its window."""
    end = min(span.end, length)
    return (
        slice(span.begin * scale, end * scale),
        slice((span.begin - span.start) * scale, (end - span.start) * scale),
    )
