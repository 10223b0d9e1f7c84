"""Films painted frame by frame, by statistics that are smoothed over time."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Protocol

from PIL import Image

from styleexport.core.arrays import Array, Run
from styleexport.core.manifest import FileFact
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import Size
from styleexport.runtime_bench.stylize.framing import Frame
from styleexport.runtime_bench.stylize.full_picture import FullPainter, Style
from styleexport.runtime_bench.stylize.stability import SmoothedStatistics
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer
from styleexport.runtime_bench.tiling.pictures import ArrayPicture

DEFAULT_STABILITY = 0.25


class FramePainter(Protocol):
    """Paints the frames of one film, in order."""

    @property
    def cuts(self) -> int | None:
        """Number of cuts found so far; None where none are looked for."""
        ...

    def __call__(self, frame: Image.Image, seconds: float) -> Image.Image:
        """Return the painting of a frame, of its size, or a multiple for upscalers.

        Args:
            frame: RGB picture.
            seconds: when it is shown.
        """
        ...


class StableFramePainter:
    """Paints frames with the files of a tiling; a `FramePainter`.

    A frame that a window holds is scaled to fit one, and mirrored beyond its edges, as a photograph
    is for a file of one size. A larger one is painted at its own size, in tiles. Sessions stay open
    from frame to frame.

    Args:
        stylizer: artifact.
        style: see `Stylizer.stylize`.
        options: strength and colours.
        stability: see `SmoothedStatistics`.

    Attributes:
        smoothed: statistics over time.

    Raises:
        UsageError: the artifact has no files for it, a style is missing, or the stability is out of
            range.
    """

    def __init__(
        self, stylizer: Stylizer, style: Style, options: StylizeOptions, stability: float
    ) -> None:
        self.full = _SessionsKept(stylizer)
        self.tiling: TilingFact = self.full.tiling
        self.options = options
        self.smoothed = SmoothedStatistics(self.tiling.statistics, stability)
        self.full.tiled.settle = self.smoothed
        self.style = stylizer.encode(style) if isinstance(style, Image.Image) else style
        self._inputs = self.full.inputs(self.style, options)

    @property
    def cuts(self) -> int:
        """Number of cuts found so far."""
        return self.smoothed.cuts

    def __call__(self, frame: Image.Image, seconds: float) -> Image.Image:
        """See `FramePainter`."""
        self.smoothed.frame(seconds)
        window = self.tiling.window.size()
        if frame.height > window.height or frame.width > window.width:
            return self.full.paint(frame, self.style, self.options)
        return self._framed(frame, window)

    def _framed(self, frame: Image.Image, window: Size) -> Image.Image:
        framed = Frame.of(frame, window, max(window.height, window.width), 1)
        whole: list[Array] = []
        picture = ArrayPicture(framed.pixels)
        self.full.tiled.paint(picture, self._inputs, lambda _r, _c, pixels: whole.append(pixels))
        painted = framed.restore(whole[0])
        shown = frame
        if frame.size != painted.size:
            shown = frame.resize(painted.size, Image.Resampling.LANCZOS)
        if self.full.stylizer.is_fixed_style and self.options.alpha < 1.0:
            painted = Image.blend(shown, painted, self.options.alpha)
        return self.options.recoloured(shown, painted)


class _SessionsKept(FullPainter):
    """A painter whose files stay open from picture to picture."""

    @contextlib.contextmanager
    def _open(self, fact: FileFact) -> Generator[Run]:
        yield lambda inputs: dict(self.stylizer.outputs(fact, dict(inputs)))


class SingleFramePainter:
    """Paints each frame by itself with a file of one size; a `FramePainter`.

    Args:
        stylizer: artifact.
        style: see `Stylizer.stylize`.
        options: strength, colours and size.
    """

    cuts = None

    def __init__(self, stylizer: Stylizer, style: Style, options: StylizeOptions) -> None:
        self.stylizer, self.style, self.options = stylizer, style, options

    def __call__(self, frame: Image.Image, seconds: float) -> Image.Image:
        """See `FramePainter`."""
        return self.stylizer.stylize(frame, self.style, self.options)
