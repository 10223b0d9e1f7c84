"""The tables of the benchmark of pictures of any size, from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from compression_report import Conditions, table
from msgspec import Struct

from styleexport.core.types import Size


class Exact(Struct, frozen=True):
    """Tiles against the network on the whole picture, in PyTorch in float32.

    Attributes:
        network: name.
        window: size of the windows.
        side: height and width of the picture.
        passes: number of passes.
        grid: multiples at which windows begin, in pixels.
        psnr_db: PSNR in dB.
        largest: largest difference of a value in 0..1.
    """

    network: str
    window: str
    side: int
    passes: int
    grid: int
    psnr_db: float
    largest: float


class Int8(Struct, frozen=True):
    """PSNR in dB of int8 to the float network, on a picture of 1024x1024.

    Attributes:
        network: name.
        own: of the file of 1024x1024, with ranges of pictures of that size.
        in_tiles: of windows of 512x512, with ranges of pictures of their size.
    """

    network: str
    own: float
    in_tiles: float


class Painted(Struct, frozen=True):
    """Seconds and memory of a painting, in a process of its own.

    Attributes:
        network: name.
        precision: of the files.
        size: of the picture.
        way: at once, in tiles, or again in another strength.
        seconds: median.
        peak_bytes: peak memory of the process.
    """

    network: str
    precision: str
    size: str
    way: str
    seconds: float
    peak_bytes: int

    @property
    def megapixels(self) -> float:
        """Pixels of the picture over a million."""
        size = Size.parse(self.size)
        return size.height * size.width / 1e6

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Network, precision, size and way, which tell rows apart."""
        return (self.network, self.precision, self.size, self.way)


class Measured(Conditions, frozen=True):
    """All that was measured.

    Attributes:
        exact: see `Exact`.
        int8: see `Int8`.
        painted: see `Painted`.
    """

    exact: tuple[Exact, ...] = ()
    int8: tuple[Int8, ...] = ()
    painted: tuple[Painted, ...] = ()

    def with_exact(self, rows: Sequence[Exact]) -> Measured:
        """Return the figures with a network's rows in the place of its old ones."""
        names = {row.network for row in rows}
        kept = [row for row in self.exact if row.network not in names]
        return msgspec.structs.replace(self, exact=(*kept, *rows))

    def with_int8(self, row: Int8) -> Measured:
        """Return the figures with a network's row in the place of its old one."""
        kept = [item for item in self.int8 if item.network != row.network]
        return msgspec.structs.replace(self, int8=(*kept, row))

    def with_painted(self, rows: Sequence[Painted]) -> Measured:
        """Return the figures with rows in the place of those that measured the same."""
        keys = {row.key for row in rows}
        kept = [row for row in self.painted if row.key not in keys]
        return msgspec.structs.replace(self, painted=(*kept, *rows))


def tables(measured: Measured) -> str:
    """Return the tables as Markdown."""
    parts = [
        table(
            ("network", "passes", "grid", "picture", "windows", "PSNR", "largest difference"),
            [
                (
                    row.network,
                    str(row.passes),
                    str(row.grid),
                    f"{row.side}x{row.side}",
                    row.window,
                    f"{row.psnr_db:.1f} dB",
                    f"{row.largest * 255:.4f}/255",
                )
                for row in measured.exact
            ],
        ),
        table(
            ("network, int8, 1024x1024", "at once", "in tiles", "difference"),
            [
                (
                    row.network,
                    f"{row.own:.2f} dB",
                    f"{row.in_tiles:.2f} dB",
                    f"{row.in_tiles - row.own:+.2f} dB",
                )
                for row in measured.int8
            ],
        ),
        table(
            (
                *("network", "precision", "picture", "way", "seconds", "s/MP"),
                *("to 1024x1024 at once, a megapixel", "peak memory"),
            ),
            list(_painted_rows(measured.painted)),
        ),
        _conditions(measured),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _painted_rows(rows: Sequence[Painted]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row; another strength is compared with the full painting."""
    whole = {(r.network, r.precision): r for r in rows if r.way == "at once"}
    full = {(r.network, r.precision, r.size): r for r in rows if r.way == "in tiles"}
    for row in rows:
        rate, one = row.seconds / row.megapixels, whole.get((row.network, row.precision))
        ratio = f"{rate / (one.seconds / one.megapixels):.2f}x" if one is not None else ""
        if row.way == "again":
            first = full[row.network, row.precision, row.size]
            ratio = f"{row.seconds / first.seconds:.2f} of the painting in tiles"
        yield (
            row.network,
            row.precision,
            row.size,
            row.way,
            f"{row.seconds:.2f}",
            f"{rate:.2f}",
            ratio,
            f"{row.peak_bytes / 1e9:.2f} GB",
        )


def _conditions(measured: Measured) -> str:
    if not measured.date:
        return ""
    load = " before and ".join(f"{value:.1f}" for value in measured.load)
    return (
        f"{measured.date}, {measured.processor}, {measured.threads} threads, load average {load} "
        f"after."
    )
