"""How a picture of any size is laid into the sizes that files take, and cut out again.

A file of fixed size H x W gets the photograph scaled to fit inside H x W, its proportions kept; the
rest of the frame is filled by mirroring its edges, and cut off again before the result is scaled
back to the photograph's own size. Of several sizes the one that keeps the most of the photograph's
pixels is taken, of equals the smaller. A file of any size gets the photograph itself, its longer
side brought down to ``max_side``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from styleexport.core.arrays import Array
from styleexport.core.images import array_from_image, image_from_array
from styleexport.core.manifest import FileFact
from styleexport.core.types import Size


def best_size(files: Sequence[FileFact], picture: Image.Image) -> tuple[FileFact, Size | None]:
    """Return the file and size that keep the most of a picture's pixels; of equals, the smaller.

    The size is None where the file takes any.
    """

    def key(option: tuple[FileFact, Size | None]) -> tuple[float, int]:
        frame = option[1]
        if frame is None:
            return (float(picture.height * picture.width), 0)
        scale = min(1.0, frame.height / picture.height, frame.width / picture.width)
        return (scale * scale * picture.height * picture.width, -frame.height * frame.width)

    options = [
        (fact, size.size() if size else None)
        for fact in files
        for size in fact.sizes or (fact.size,)
    ]
    return max(options, key=key)


def open_size(picture: Image.Image, max_side: int, min_side: int) -> Size:
    """Return the size at which a file of any size runs a picture."""
    scale = min(1.0, max_side / max(picture.size))
    scale = max(scale, min_side / min(picture.size))
    width = min(max(min_side, round(picture.width * scale)), 4 * max_side)
    height = min(max(min_side, round(picture.height * scale)), 4 * max_side)
    return Size(height, width)


@dataclass(frozen=True)
class Frame:
    """A photograph laid into a file's frame.

    Attributes:
        pixels: [1, 3, H, W] in 0..1.
        top: first row of the photograph in the frame.
        left: first column.
        inner: size of the photograph in the frame.
        picture: size of the photograph itself.
    """

    pixels: Array
    top: int
    left: int
    inner: Size
    picture: tuple[int, int]

    @classmethod
    def of(cls, picture: Image.Image, outer: Size | None, max_side: int, min_side: int) -> Frame:
        """Return a picture laid into a file's size; None is that of a file of any size."""
        if outer is None:
            outer = inner = open_size(picture, max_side, min_side)
        else:
            scale = min(outer.height / picture.height, outer.width / picture.width)
            inner = Size(
                min(outer.height, max(1, round(picture.height * scale))),
                min(outer.width, max(1, round(picture.width * scale))),
            )
        scaled = picture.resize((inner.width, inner.height), Image.Resampling.LANCZOS)
        top, left = (outer.height - inner.height) // 2, (outer.width - inner.width) // 2
        pads = (
            (0, 0),
            (0, 0),
            (top, outer.height - inner.height - top),
            (left, outer.width - inner.width - left),
        )
        pixels = np.pad(array_from_image(scaled), pads, mode="symmetric")
        return cls(pixels, top, left, inner, picture.size)

    def restore(self, painted: Array) -> Image.Image:
        """Return the photograph's part of a painted frame at the photograph's size."""
        rows = slice(self.top, self.top + self.inner.height)
        columns = slice(self.left, self.left + self.inner.width)
        image = image_from_array(painted[:, :, rows, columns])
        if image.size == self.picture:
            return image
        return image.resize(self.picture, Image.Resampling.LANCZOS)
