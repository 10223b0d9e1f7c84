"""One pass after the other over the tiles of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from styleexport.core.arrays import Array, Arrays
from styleexport.core.errors import ParityFailure
from styleexport.runtime_bench.tiling.files import TiledFiles, TileFile
from styleexport.runtime_bench.tiling.map_store import MapStore
from styleexport.runtime_bench.tiling.pictures import Picture
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
    tiles,
)

# Kinds of inputs that choose how a picture is painted.
STYLES = ("style_code", "strength")
# Given the statistics of a pass over the picture, [1, length] by name; returns those to take.
Settle = Callable[[Mapping[str, Array]], Mapping[str, Array]]
# Given rows and columns of the picture (times the network's scale) and their pixels,
# [1, 3, rows, columns] in 0..1.
Write = Callable[[slice, slice, Array], None]


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


class PassRun:
    """One pass after the other over the tiles of a picture.

    Args:
        files: files of the tiling.
        settle: see `Settle`; None takes statistics as they are.
        features: picture, maps and statistics so far.
        inputs: ``style_code`` and ``strength``, where the files take them.
        write: takes the painting tile by tile.
    """

    def __init__(
        self,
        files: TiledFiles,
        settle: Settle | None,
        features: Features,
        inputs: Arrays,
        write: Write,
    ) -> None:
        self.files, self.tiling, self._settle = files, files.tiling, settle
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
                check_finite(file, outputs)
                for item in file.outputs:
                    value = outputs[item.name]
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
        self.settled |= self._settle(values) if self._settle and values else values

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


def check_finite(file: TileFile, outputs: Arrays) -> None:
    """Check the outputs of a pass.

    Raises:
        ParityFailure: one is not finite.
    """
    for item in file.outputs:
        if not np.isfinite(outputs[item.name]).all():
            raise ParityFailure(
                f"{file.path} computes NaN or infinite values of this picture: choose another file "
                "with --target or --precision"
            )
