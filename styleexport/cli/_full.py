"""Painting of photographs at their own size by `styleexport stylize`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from styleexport.cli._common import talk
from styleexport.core.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from styleexport.runtime_bench.stylize.full_picture import FullPainter
    from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

Painter = Callable[["Image.Image"], "Image.Image"]


def with_tiles(
    painter: Painter,
    stylizer: Stylizer,
    style: object,
    options: StylizeOptions,
    full: bool | None,
    preview: Path | None,
) -> Painter:
    """Return what paints photographs in tiles where they are to be, and as before elsewhere.

    Args:
        painter: paints a photograph with a file of one size.
        stylizer: artifact.
        style: style code; None for a network with one style of its own.
        options: strength, colours and size.
        full: whether every photograph is painted in tiles; None for those that are larger than the
            files of one size take, if the artifact can.
        preview: file that first gets a painting by the statistics of a thumbnail.

    Raises:
        UsageError: tiles or a preview are asked for, and the artifact has no files for them.
    """
    from styleexport.runtime_bench.stylize.full_picture import (
        FullPainter,
        is_reduced,
        tiling_of,
    )

    if full is False or (full is None and tiling_of(stylizer) is None):
        if preview is not None and not stylizer.is_optimized:
            raise UsageError(
                "--preview is of pictures that are painted in tiles: leave it out, or choose files "
                "of `export --full` with --target and --precision, without --no-full"
            )
        return painter
    tiled = FullPainter(stylizer)

    def paint(image: Image.Image) -> Image.Image:
        if full is None and not is_reduced(stylizer, image, options.max_side):
            if preview is not None:
                talk("no preview: the photograph fits a file, which paints it at once")
            return painter(image)
        return _paint(tiled, image, style, options, preview)

    return paint


def _paint(
    tiled: FullPainter,
    image: Image.Image,
    style: object,
    options: StylizeOptions,
    preview: Path | None,
) -> Image.Image:
    from styleexport.core.counted import Counter
    from styleexport.core.images import array_from_image, write_image
    from styleexport.core.psnr import psnr_db

    first = None
    if preview is not None:
        counter = Counter("preview: tiles", talk)
        first = tiled.preview(image, style, options, counter)  # pyright: ignore[reportArgumentType]
        write_image(first, preview)
        talk(f"preview: {preview}, by the statistics of a thumbnail")
    painted = tiled.paint(image, style, options, Counter("tiles", talk))  # pyright: ignore[reportArgumentType]
    if first is not None:
        lost = psnr_db(array_from_image(first), array_from_image(painted), 1.0)
        talk(f"the preview is within {lost:.1f} dB of the painting")
    return painted
