"""Contact sheets: grids of square pictures, with captions or with styles across the top."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size

CELL = 128
CAPTION_HEIGHT = 16


def picture_grid(
    rows: Sequence[Sequence[Image.Image | None]], cell: int = CELL, captions: Sequence[str] = ()
) -> Image.Image:
    """Return rows of pictures on white, each cropped to a square; None leaves a place empty.

    Args:
        rows: the pictures; the longest row gives the width.
        cell: side of a square in pixels.
        captions: one above each column; () leaves their strip out.
    """
    top = CAPTION_HEIGHT if captions else 0
    width = max(len(captions), *map(len, rows))
    sheet = Image.new("RGB", (width * cell, top + len(rows) * cell), "white")
    pen = ImageDraw.Draw(sheet)
    for column, caption in enumerate(captions):
        pen.text((column * cell + 4, 2), caption, fill="black")
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            if picture is not None:
                square = centre_crop(picture, Size(cell, cell))
                sheet.paste(square, (column * cell, top + number * cell))
    return sheet


def contact_sheet(
    contents: Sequence[Image.Image],
    styles: Sequence[Image.Image],
    paintings: Sequence[Sequence[Image.Image]],
    cell: int = CELL,
) -> Image.Image:
    """Return styles across, contents down; ``paintings[i][j]`` is content i in style j."""
    rows = [[content, *row] for content, row in zip(contents, paintings, strict=True)]
    return picture_grid([[None, *styles], *rows], cell)
