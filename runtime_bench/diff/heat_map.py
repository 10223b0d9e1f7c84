"""Two pictures side by side with a heat map of their difference and its scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from styleexport.core.arrays import Array
from styleexport.core.images import image_from_array

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER, INK = (255, 255, 255), (32, 32, 32)
# Colour of values that are not finite; not in the ramp.
CYAN = (0, 255, 255)
MIN_WIDTH = 320
# Oklab → linear sRGB, B. Ottosson, "A perceptual color space for image processing", 2020.
LMS_FROM_LAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
RGB_FROM_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def colour_ramp(steps: int = 256) -> NDArray[np.uint8]:
    """Return colours [steps, 3] from near black over violet, red and orange to pale yellow.

    Lightness is linear in Oklab: the map is perceptually uniform, in grey too.
    """
    share = np.linspace(0.0, 1.0, steps)
    lightness = 0.14 + 0.84 * share
    hue = np.radians(285.0 + 180.0 * share)
    chroma = 0.175 * np.sin(np.pi * np.clip(0.12 + 0.83 * share, 0, 1)) ** 0.8
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ LMS_FROM_LAB.T) ** 3 @ RGB_FROM_LMS.T, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255).round().astype(np.uint8)


def scale_top(largest: float) -> float:
    """Return the end of a scale for values up to ``largest``: 1, 2 or 5 times a power of ten."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= largest * (1 - 1e-9))


@dataclass(frozen=True)
class _Layout:
    """The layout of the sheet, in pixels.

    Attributes:
        zoom: integer magnification of small pictures.
        width: width of a panel.
        height: height of a panel.
        gap: distance between elements, and size of the text.
        line: height of a line of text.
    """

    zoom: int
    width: int
    height: int
    gap: int
    line: int

    @classmethod
    def of(cls, height: int, width: int) -> _Layout:
        """Return the layout for pictures of a size."""
        zoom = max(1, math.ceil(MIN_WIDTH / width))
        text = max(13, zoom * width // 40)
        return cls(zoom, zoom * width, zoom * height, text, round(text * 1.5))

    @property
    def font(self) -> Font:
        return ImageFont.load_default(self.gap)

    def left(self, panel: int) -> int:
        """Return the first column of a panel."""
        return self.gap + panel * (self.width + self.gap)

    @property
    def top(self) -> int:
        return self.gap + self.line

    @property
    def bar(self) -> tuple[int, int, int, int]:
        """Box of the legend's bar: left, top, right, bottom."""
        left = self.left(3)
        return left, self.top, left + round(1.5 * self.gap), self.top + self.height

    @property
    def size(self) -> tuple[int, int]:
        return self.bar[2] + 5 * self.gap, self.top + self.height + self.gap + self.line


def heat_map(a: Array, b: Array, title_a: str, title_b: str, note: str = "") -> Image.Image:
    """Return A, B and the heat map of |A - B| in one picture.

    The map shows the worst of the three channels in steps of 1/255, boxes the worst pixel, and is
    cyan where a picture is not finite. Small pictures are magnified.

    Args:
        a: [1, 3, H, W] in 0..1.
        b: picture of the same shape.
        title_a: title of A.
        title_b: title of B.
        note: addition to the caption.
    """
    largest_a, largest_b = (np.abs(x).max(axis=(0, 1)) for x in (a, b))
    finite = np.isfinite(largest_a) & np.isfinite(largest_b)
    known_a, known_b = np.nan_to_num(a), np.nan_to_num(b)
    difference = np.where(finite, np.abs(known_a - known_b).max(axis=(0, 1)) * 255, 0.0)
    top = scale_top(float(difference.max()))
    layout = _Layout.of(*difference.shape)
    sheet = Image.new("RGB", layout.size, PAPER)
    draw = ImageDraw.Draw(sheet)
    panels = image_from_array(known_a), image_from_array(known_b), _map(difference / top, finite)
    titles = title_a, title_b, "|A - B|"
    for index, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        text = _fitted(title, layout.font, layout.width)
        draw.text((layout.left(index), layout.gap // 2), text, INK, layout.font)
        zoomed = panel.resize((layout.width, layout.height), Image.Resampling.NEAREST)
        sheet.paste(zoomed, (layout.left(index), layout.top))
    if difference.any():
        row, column = np.unravel_index(int(difference.argmax()), difference.shape)
        _mark(draw, layout, int(row), int(column))
    _legend(sheet, layout, top)
    caption = "map: the worst of R, G and B, in steps of 1/255" + (f"; {note}" if note else "")
    text = _fitted(caption, layout.font, layout.size[0] - 2 * layout.gap)
    draw.text((layout.gap, layout.top + layout.height + layout.gap // 2), text, INK, layout.font)
    return sheet


def _map(share: NDArray[np.float64], finite: NDArray[np.bool_]) -> Image.Image:
    ramp = colour_ramp()
    colours = ramp[np.clip(share * 255, 0, 255).round().astype(np.uint8)]
    colours[~finite] = CYAN
    return Image.fromarray(colours)


def _mark(draw: ImageDraw.ImageDraw, layout: _Layout, row: int, column: int) -> None:
    """Draw a box around the worst pixel."""
    left = layout.left(2) + column * layout.zoom
    top = layout.top + row * layout.zoom
    reach = layout.gap // 3
    box = (left - reach, top - reach, left + layout.zoom + reach, top + layout.zoom + reach)
    draw.rectangle(box, outline=PAPER, width=max(1, layout.gap // 8))


def _legend(sheet: Image.Image, layout: _Layout, top: float) -> None:
    """Draw the colour ramp beside the map, with values at its ticks."""
    left, upper, right, lower = layout.bar
    ramp = Image.fromarray(colour_ramp()[::-1, None])
    bar = ramp.resize((right - left, lower - upper), Image.Resampling.BILINEAR)
    sheet.paste(bar, (left, upper))
    draw = ImageDraw.Draw(sheet)
    ticks = 5 if f"{top:e}".startswith("5") else 4
    for tick in range(ticks + 1):
        height = lower - 1 - round((lower - 1 - upper) * tick / ticks)
        draw.line((right, height, right + layout.gap // 3, height), INK)
        at = (right + layout.gap // 2, height)
        draw.text(at, f"{top * tick / ticks:.3g}", INK, layout.font, anchor="lm")


def _fitted(text: str, font: Font, width: int) -> str:
    """Return the text, with its middle elided where it is too long."""
    kept = len(text)
    short = text
    while font.getlength(short) > width and kept > 2:
        kept -= 1
        short = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    return short
