"""Contact sheets: styles across, contents down, the paintings where they meet."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageOps


def contact_sheet(
    contents: Sequence[Image.Image],
    styles: Sequence[Image.Image],
    paintings: Sequence[Sequence[Image.Image]],
    cell: int = 128,
) -> Image.Image:
    """Return the sheet of middles; ``paintings[i][j]`` is content i in style j."""
    sheet = Image.new("RGB", ((len(styles) + 1) * cell, (len(contents) + 1) * cell), "white")

    def put(image: Image.Image, row: int, column: int) -> None:
        middle = ImageOps.fit(image, (cell, cell), Image.Resampling.LANCZOS)
        sheet.paste(middle, (column * cell, row * cell))

    for column, style in enumerate(styles, start=1):
        put(style, 0, column)
    for row, content in enumerate(contents, start=1):
        put(content, row, 0)
        for column, painting in enumerate(paintings[row - 1], start=1):
            put(painting, row, column)
    return sheet
