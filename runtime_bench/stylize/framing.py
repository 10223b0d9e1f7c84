"""Fitting of pictures of any size to the input sizes of files, and back.

A file of a fixed size H x W gets the photograph scaled to fit inside H x W, proportions kept; the
rest of the frame mirrors its edges, and is cropped before the result is scaled back to the
photograph's size. Of several sizes the one that keeps most of the photograph's pixels is taken, of
equal ones the smaller. A file of any size gets the photograph itself, its longer side reduced to
``max_side``.
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
    """Return the file and input size that keep most of a picture's pixels; of equals, the smaller.

    The size is None for a file of any size.
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
    """Return the size at which a file of any size runs a picture.

    Args:
        picture: picture to run.
        max_side: largest length in pixels of the longer side.
        min_side: smallest length in pixels of either side that the network takes.
    """
    scale = min(1.0, max_side / max(picture.size))
    scale = max(scale, min_side / min(picture.size))
    width = min(max(min_side, round(picture.width * scale)), 4 * max_side)
    height = min(max(min_side, round(picture.height * scale)), 4 * max_side)
    return Size(height, width)


@dataclass(frozen=True)
class Frame:
    """A photograph placed inside a file's input.

    Attributes:
        pixels: input, [1, 3, H, W] in 0..1.
        top: first row of the photograph.
        left: first column of the photograph.
        inner: scaled size of the photograph.
        picture: original size of the photograph, (width, height).
    """

    pixels: Array
    top: int
    left: int
    inner: Size
    picture: tuple[int, int]

    @classmethod
    def of(cls, picture: Image.Image, outer: Size | None, max_side: int, min_side: int) -> Frame:
        """Return a picture placed inside an input of a size.

        Args:
            picture: RGB picture.
            outer: input size; None for a file of any size.
            max_side: see `open_size`.
            min_side: see `open_size`.
        """
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
        """Return the photograph's part of an output, at the original size times the output's scale.

        Args:
            painted: output of the file, [1, 3, H, W] in 0..1, as large as its input or a whole
                multiple.
        """
        scale = painted.shape[2] // self.pixels.shape[2]
        rows = slice(scale * self.top, scale * (self.top + self.inner.height))
        columns = slice(scale * self.left, scale * (self.left + self.inner.width))
        image = image_from_array(painted[:, :, rows, columns])
        size = (scale * self.picture[0], scale * self.picture[1])
        return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
