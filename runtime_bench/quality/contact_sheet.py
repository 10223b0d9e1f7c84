"""Contact sheet of a quality comparison: the worst picture of each kind, and the worst regions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from styleexport.core.errors import UsageError
from styleexport.core.images import image_from_array
from styleexport.runtime_bench.diff.heat_map import INK, PAPER
from styleexport.runtime_bench.quality import columns
from styleexport.runtime_bench.quality.closeups import (
    REGION_SIDE,
    REGION_ZOOM,
    DifferenceScale,
    Region,
    shown_pictures,
    worst_regions,
)
from styleexport.runtime_bench.quality.compare import Compared, QualityComparison

CELL = REGION_SIDE * REGION_ZOOM
COLUMNS = 6
GAP = 16
TEXT = 15
LINE = 22
FAINT = (112, 112, 112)


@dataclass(frozen=True)
class _Row:
    """Cells side by side.

    Attributes:
        titles: title above each cell.
        cells: picture or lines of text of each cell.
    """

    titles: tuple[str, ...]
    cells: tuple[Image.Image | tuple[str, ...], ...]

    @property
    def height(self) -> int:
        pictures = [cell.height for cell in self.cells if isinstance(cell, Image.Image)]
        return LINE + max(pictures) + GAP

    def draw(self, sheet: Image.Image, top: int) -> None:
        """Draw the row on a sheet, from a pixel row down."""
        pen = ImageDraw.Draw(sheet)
        font = ImageFont.load_default(TEXT)
        for column, (title, cell) in enumerate(zip(self.titles, self.cells, strict=True)):
            left = GAP + column * (CELL + GAP)
            pen.text((left, top), title, FAINT, font)
            if isinstance(cell, Image.Image):
                sheet.paste(cell, (left, top + LINE))
                continue
            for number, line in enumerate(cell):
                pen.text((left, top + (number + 1) * LINE), line, INK, font)


def sheet(compared: Compared) -> Image.Image:
    """Return content, style, reference, candidate and difference of the worst pictures.

    The three worst regions follow, 64x64 pixels enlarged four times.

    Raises:
        UsageError: style codes were compared.
    """
    if compared.reference[0].ndim != 4:
        raise UsageError(
            f"{compared.comparison.candidate} returns a style code, of which there is no picture: "
            "leave out --png"
        )
    scale = DifferenceScale.of(compared)
    rows = [_picture_row(compared, index, scale) for index in shown_pictures(compared)]
    rows.append(_region_row(compared, worst_regions(compared)))
    head = _head(compared.comparison, scale)
    height = GAP + LINE * len(head) + GAP + sum(row.height for row in rows)
    result = Image.new("RGB", (GAP + COLUMNS * (CELL + GAP), height), PAPER)
    pen = ImageDraw.Draw(result)
    for number, line in enumerate(head):
        size = TEXT + 3 if number == 0 else TEXT
        pen.text((GAP, GAP + number * LINE), line, INK, ImageFont.load_default(size))
    top = GAP + LINE * len(head) + GAP
    for row in rows:
        row.draw(result, top)
        top += row.height
    return result


def _head(comparison: QualityComparison, scale: DifferenceScale) -> list[str]:
    quality = comparison.quality
    pairs = zip(columns.HEADER, columns.cells(comparison), strict=True)
    figures = "    ".join(f"{name} {value}" for name, value in pairs if value != "-")
    return [
        f"{Path(comparison.candidate).name}  against  {Path(comparison.reference).name}",
        figures,
        f"{quality.size.height}x{quality.size.width}, {len(quality.pictures)} pictures; style in "
        f"{quality.loss_network}'s features; {scale.caption}",
        *textwrap.wrap(columns.NOTE, 230),
    ]


def _picture_row(compared: Compared, index: int, scale: DifferenceScale) -> _Row:
    probe = compared.probes[index]
    reference, candidate = compared.reference[index], compared.candidate[index]
    row = columns.picture_cells(compared.comparison.quality.pictures[index])
    figures = tuple(
        f"{name} {value}"
        for name, value in zip(columns.PICTURE_HEADER, row, strict=True)
        if value != "-" and name not in ("picture", "kind")
    )
    shown: list[Image.Image | tuple[str, ...]] = []
    for array in (probe.content, probe.style, reference, candidate):
        missing = ("none: the network", "has its own")
        shown.append(missing if array is None else _fitted(image_from_array(array)))
    difference = _fitted(scale.map(reference, candidate))
    titles = ("content", "style", "reference", "candidate", "difference", probe.name)
    return _Row(titles, (*shown, difference, figures))


def _region_row(compared: Compared, regions: Sequence[Region]) -> _Row:
    titles: list[str] = []
    cells: list[Image.Image] = []
    for region in regions:
        name = compared.probes[region.picture].name
        for side, outputs in (("ref.", compared.reference), ("cand.", compared.candidate)):
            titles.append(f"{side} {name} at {region.left}, {region.top}")
            cells.append(region.cut(outputs[region.picture]))
    return _Row(tuple(titles), tuple(cells))


def _fitted(image: Image.Image) -> Image.Image:
    """Return the picture at the width of a cell."""
    size = (CELL, max(1, round(image.height * CELL / image.width)))
    smaller = image.width > CELL
    return image.resize(size, Image.Resampling.LANCZOS if smaller else Image.Resampling.NEAREST)
