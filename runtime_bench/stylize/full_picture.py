"""Photographs of any size, painted at their own size in tiles with the files of an artifact."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from styleexport.core.arrays import Array, Run
from styleexport.core.errors import UsageError
from styleexport.core.images import array_from_image, image_from_array
from styleexport.core.manifest import FileFact
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import Role
from styleexport.runtime_bench.parity import runtime_errors_of
from styleexport.runtime_bench.runners._runner import runner_for
from styleexport.runtime_bench.stylize.framing import best_size
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer
from styleexport.runtime_bench.tiling.files import TiledFiles
from styleexport.runtime_bench.tiling.painter import Count, TiledPainter
from styleexport.runtime_bench.tiling.pass_run import Features
from styleexport.runtime_bench.tiling.tiles import Sides

Style = Array | Image.Image | None


@dataclass(frozen=True)
class ImagePicture:
    """A photograph as it was read, converted window by window.

    Attributes:
        image: RGB picture.
    """

    image: Image.Image

    @property
    def size(self) -> Sides:
        """Height and width."""
        return Sides(self.image.height, self.image.width)

    def window(self, rows: Sequence[int], columns: Sequence[int]) -> Array:
        """Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1."""
        top, left = min(rows), min(columns)
        part = self.image.crop((left, top, max(columns) + 1, max(rows) + 1))
        array = array_from_image(part)
        if part.size == (len(columns), len(rows)):
            return array
        down, across = np.asarray(rows) - top, np.asarray(columns) - left
        return np.ascontiguousarray(array[:, :, down][:, :, :, across])


class FullPainter:
    """Paints photographs at their own size.

    Args:
        stylizer: artifact, with the target and precision whose files are to paint.
        folder: where feature maps are stored; None for the system's folder of temporary files.

    Raises:
        UsageError: the artifact has no files of that target and precision that paint in tiles.
    """

    def __init__(self, stylizer: Stylizer, folder: Path | None = None) -> None:
        self.stylizer = stylizer
        tiling = tiling_of(stylizer)
        if tiling is None:
            one = stylizer.files[0]
            held = ", ".join(f"{t.target} {t.precision}" for t in stylizer.manifest.tilings)
            raise UsageError(
                f"{stylizer.folder} has no {one.target} {one.precision} files that paint in tiles"
                + (f", but {held}: choose with --target and --precision" if held else "")
                + "; export again with `styleexport export … --full`"
            )
        self.tiling = tiling
        files = TiledFiles.of(stylizer.manifest, tiling, self._open)
        self.tiled = TiledPainter(files, folder=folder)

    @contextlib.contextmanager
    def _open(self, fact: FileFact) -> Generator[Run]:
        """Open the file of a pass; it is closed after the pass, so that memory holds one."""
        path = self.stylizer.folder / fact.path
        with runtime_errors_of(path, probe=""):
            opened = runner_for(path).open(path, self.stylizer.options)
        with opened as session, runtime_errors_of(path, probe=""):
            yield session

    def paint(
        self,
        content: Image.Image,
        style: Style = None,
        options: StylizeOptions | None = None,
        count: Count = lambda *_: None,
    ) -> Image.Image:
        """Return the painting, of the photograph's size, or a multiple for upscalers.

        Args:
            content: RGB picture of any size.
            style: see `Stylizer.stylize`.
            options: strength and colours; None for the defaults.
            count: takes the number of tiles done, and of all.

        Raises:
            UsageError: a style is missing, or of another network.
            DeviceError: the disk has no room for the feature maps.
            ParityFailure: a file computes values that are not finite.
        """
        with self.tiled.features(ImagePicture(content), count, keep=False) as features:
            return self.render(features, content, style, options, count)

    def render(
        self,
        features: Features,
        content: Image.Image,
        style: Style = None,
        options: StylizeOptions | None = None,
        count: Count = lambda *_: None,
        *,
        keep: bool = False,
    ) -> Image.Image:
        """Return the painting of a photograph whose features are there; see `paint`.

        Args:
            features: from ``tiled.features``.
            content: photograph that they are of.
            style: see `paint`.
            options: see `paint`.
            count: see `paint`.
            keep: whether the features can render once more afterwards.
        """
        options = options or StylizeOptions()
        canvas = self._canvas(content, options)
        inputs = self.inputs(style, options)
        self.tiled.render(features, inputs, canvas.write, count, keep=keep)
        return canvas.image

    def preview(
        self,
        content: Image.Image,
        style: Style = None,
        options: StylizeOptions | None = None,
        count: Count = lambda *_: None,
    ) -> Image.Image:
        """Return the painting by the statistics of a thumbnail, in one pass over the tiles.

        The thumbnail's shorter side is that of a window. It has less detail than the photograph,
        so that its statistics differ, and with them contrast and colours; see `paint`.
        """
        options = options or StylizeOptions()
        window, short = self.tiling.window, min(content.size)
        scale = min(1.0, min(window.height, window.width) / short)
        size = (round(content.width * scale), round(content.height * scale))
        thumbnail = content.resize(size, Image.Resampling.LANCZOS)
        inputs = self.inputs(style, options)
        statistics = self.tiled.statistics(ImagePicture(thumbnail), inputs)
        canvas = self._canvas(content, options)
        self.tiled.sweep(ImagePicture(content), statistics, inputs, canvas.write, count)
        return canvas.image

    def _canvas(self, content: Image.Image, options: StylizeOptions) -> _Canvas:
        pixels = self.stylizer.manifest.network.pixels
        fixed = self.stylizer.is_fixed_style
        return _Canvas(content, options, fixed, pixels.scale if pixels else 1)

    def inputs(self, style: Style, options: StylizeOptions) -> dict[str, Array]:
        """Return style code and strength, as the artifact's file of one size takes them."""
        (fact, *_) = self.stylizer.files_of(self.tiling.role)
        return self.stylizer.style_inputs(fact, None, style, options)


def tiling_of(stylizer: Stylizer) -> TilingFact | None:
    """Return how the chosen files of an artifact paint in tiles; None where they do not."""
    one = stylizer.files[0]
    of_files = [
        tiling
        for tiling in stylizer.manifest.tilings
        if (tiling.target, tiling.precision) == (one.target, one.precision)
    ]
    return of_files[0] if of_files else None


def is_reduced(stylizer: Stylizer, content: Image.Image, max_side: int) -> bool:
    """Whether a photograph is larger than what the files of one size take."""
    files = stylizer.files_of(Role.TRANSFORM) or stylizer.files_of(Role.STYLIZE)
    if not files:
        return True
    _, size = best_size(files, content)
    if size is None:
        return max(content.size) > max_side
    return content.height > size.height or content.width > size.width


class _Canvas:
    """A painting that is put together tile by tile.

    Args:
        content: the photograph.
        options: strength of a style that cannot be changed, and colours to keep.
        blends: whether the strength is applied to pictures.
        scale: height and width of the painting over the photograph's.
    """

    def __init__(
        self, content: Image.Image, options: StylizeOptions, blends: bool, scale: int
    ) -> None:
        self.content, self.options = content, options
        self.blends = blends and options.alpha < 1.0
        self.image = Image.new("RGB", (scale * content.width, scale * content.height))
        self.scale = scale

    def write(self, rows: slice, columns: slice, pixels: Array) -> None:
        """Put a tile into the painting."""
        box = (columns.start, rows.start, columns.stop, rows.stop)
        tile = image_from_array(pixels)
        part = self.content.crop(tuple(side // self.scale for side in box))
        if part.size != tile.size:
            part = part.resize(tile.size, Image.Resampling.BICUBIC)
        if self.blends:
            tile = Image.blend(part, tile, self.options.alpha)
        self.image.paste(self.options.recoloured(part, tile), box[:2])
