"""Fixed probe pictures of the quality metrics, the same for every network, at any size.

Photographs and paintings are the shipped ones, mirrored, and crops where calibration uses the
centre of the whole picture, so that no probe is a calibration picture. Gradients reveal banding,
text lost edges, saturated colours clipped ranges, and one photograph in five motions flicker.

Synthetic pictures have shapes and camera noise of dim light. The features of a clean gradient have
almost no variance, by which instance normalization divides: the float network then amplifies the
rounding of its input (dithering by half a step of 8 bits costs fast-style 17 dB), which says
nothing about a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from styleexport.core.arrays import Array
from styleexport.core.assets import folder
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.runtime_bench.quality.flicker import Matrix
from styleexport.runtime_bench.quality.motion import MOTIONS, Clip

PictureKind = Literal["photograph", "gradient", "text", "colours", "painting", "motion"]

# Name → centre of the crop, as shares of the mirrored picture's width and height.
PHOTOGRAPHS = {
    "city": (0.42, 0.45),
    "fruit": (0.5, 0.5),
    "harbour": (0.25, 0.4),
    "night": (0.45, 0.55),
}
# One saturated, one almost grey.
PAINTINGS = {"glass": (0.35, 0.6), "ink": (0.6, 0.35)}
MOVING = "hills"
ZOOM = 1.5
# Standard deviation, in steps of 8 bits.
GRAIN = 4.0
# Frames of a motion; all motions share the first one, so that together they are eight.
FRAMES = {"pan": 4}
OTHER_FRAMES = 2
STRENGTH = 1.0
WORDS = "Sphinx of black quartz, judge my vow. 0123456789 Fjord & waltz? "


@dataclass(frozen=True)
class ProbePicture:
    """A picture of the probe set.

    Attributes:
        name: unique name.
        kind: kind of the picture.
        array: [1, 3, H, W] in 0..1, all values multiples of 1/255.
    """

    name: str
    kind: PictureKind
    array: Array


@dataclass(frozen=True)
class Moved:
    """How a frame follows another.

    Attributes:
        motion: name of the motion.
        before: number of the frame before it, counted over the probes of kind ``motion``.
        step: where its pixels lie in the frame before it.
    """

    motion: str
    before: int
    step: Matrix


@dataclass(frozen=True)
class QualityProbe:
    """Inputs of one inference, and the pictures that its output is compared with.

    Attributes:
        name: content, and style where there is one: ``city, glass``.
        kind: kind of the content.
        inputs: input name → array.
        content: content picture [1, 3, H, W] in 0..1; None where the output is a style code.
        style: style picture [1, 3, H, W] in 0..1; None for a network with one style of its own.
        moved: of a probe of kind ``motion``, the frame before it; None for the first.
    """

    name: str
    kind: PictureKind
    inputs: dict[str, Array]
    content: Array | None
    style: Array | None
    moved: Moved | None = None


def probe_pictures(size: Size) -> tuple[ProbePicture, ...]:
    """Return the content pictures at a size: four photographs, two gradients, text and colours."""
    drawn: tuple[tuple[str, PictureKind, Image.Image], ...] = (
        ("sky", "gradient", _scene(_sky(size), (28, 34, 40), (220, 60, 40), (240, 238, 230))),
        ("dusk", "gradient", _scene(_dusk(size), (2, 2, 4), (222, 214, 190), (96, 40, 34))),
        ("letters", "text", _letters(size)),
        ("colours", "colours", _colours(size)),
    )
    photographs = [(name, _shipped("content", name, at, size)) for name, at in PHOTOGRAPHS.items()]
    return (
        *(ProbePicture(name, "photograph", array) for name, array in photographs),
        *(
            ProbePicture(name, kind, array_from_image(_grainy(image, seed)))
            for seed, (name, kind, image) in enumerate(drawn)
        ),
    )


def style_pictures(size: Size) -> tuple[ProbePicture, ...]:
    """Return the style pictures at a size."""
    return tuple(
        ProbePicture(name, "painting", _shipped("style", name, centre, size))
        for name, centre in PAINTINGS.items()
    )


def moving_pictures(size: Size) -> tuple[tuple[ProbePicture, Moved | None], ...]:
    """Return the frames of one photograph in each of the motions, and how each moved."""
    photograph = ImageOps.mirror(read_image(folder() / f"content_{MOVING}.jpg"))
    frames: list[tuple[ProbePicture, Moved | None]] = []
    for motion in MOTIONS:
        count = FRAMES.get(motion.name, OTHER_FRAMES)
        clip = Clip.of(motion, photograph, size, count, half=count - 1)
        if not frames:
            frames.append((ProbePicture("still", "motion", clip.picture(0)), None))
        before = 0
        for number in range(1, count):
            picture = ProbePicture(f"{motion.name} {number}", "motion", clip.picture(number))
            frames.append((picture, Moved(motion.name, before, clip.step(number - 1))))
            before = len(frames) - 1
    return tuple(frames)


def quality_probes(
    size: Size,
    inputs: Collection[str],
    encode: Callable[[Array], Array] | None = None,
) -> tuple[QualityProbe, ...]:
    """Return the probes of a graph: every content in every style, and motions in the first style.

    Args:
        size: size of all pictures.
        inputs: names of the graph's inputs, in the order of its role: ``content``, ``style``,
            ``style_code``, ``strength``.
        encode: style picture [1, 3, H, W] in 0..1 → style code [1, K]; for graphs that take
            ``style_code``.
    """
    if "content" not in inputs:
        pictures = (*style_pictures(size), *probe_pictures(size))
        return tuple(QualityProbe(p.name, p.kind, {"style": p.array}, None, None) for p in pictures)
    styled = "style" in inputs or "style_code" in inputs
    styles = style_pictures(size) if styled else (None,)
    style_inputs = [_style_inputs(style, inputs, encode) for style in styles]
    stills = [
        _probe(content, style, more)
        for content in probe_pictures(size)
        for style, more in zip(styles, style_inputs, strict=True)
    ]
    moving = (
        replace(_probe(frame, styles[0], style_inputs[0]), moved=moved)
        for frame, moved in moving_pictures(size)
    )
    return (*stills, *moving)


def _style_inputs(
    style: ProbePicture | None, inputs: Collection[str], encode: Callable[[Array], Array] | None
) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for name in inputs:
        if name == "strength":
            arrays[name] = np.array([STRENGTH], np.float32)
        elif name == "style_code" and style is not None:
            assert encode is not None, "a graph that takes a style code needs an encoder"
            arrays[name] = encode(style.array)
        elif name == "style" and style is not None:
            arrays[name] = style.array
    return arrays


def _probe(
    content: ProbePicture, style: ProbePicture | None, more: dict[str, Array]
) -> QualityProbe:
    name = f"{content.name}, {style.name}" if style is not None else content.name
    picture = style.array if style is not None else None
    return QualityProbe(
        name, content.kind, {"content": content.array, **more}, content.array, picture
    )


def _shipped(kind: str, name: str, centre: tuple[float, float], size: Size) -> Array:
    """Return a crop of a shipped picture, mirrored, at a size, [1, 3, H, W]."""
    image = ImageOps.mirror(read_image(folder() / f"{kind}_{name}.jpg"))
    width, height = image.width / ZOOM, image.height / ZOOM
    left, top = (image.width - width) * centre[0], (image.height - height) * centre[1]
    crop = image.crop((round(left), round(top), round(left + width), round(top + height)))
    return array_from_image(centre_crop(crop, size))


def _sky(size: Size) -> Image.Image:
    """Return a smooth vertical ramp from blue over pale yellow to near white."""
    stops = np.array([[52, 104, 196], [176, 206, 232], [250, 226, 188], [255, 250, 242]], float)
    share = np.linspace(0, len(stops) - 1, size.height)
    ramp = np.stack([np.interp(share, range(len(stops)), stops[:, c]) for c in range(3)], -1)
    return _image(np.broadcast_to(ramp[:, None], (size.height, size.width, 3)))


def _dusk(size: Size) -> Image.Image:
    """Return a dim radial glow on near black, where steps are most visible."""
    rows = np.linspace(-1, 1, size.height)[:, None] + 0.3
    columns = np.linspace(-1, 1, size.width)[None] - 0.2
    glow = np.exp(-1.2 * (rows**2 + columns**2))[..., None]
    return _image(np.array([10, 12, 22]) + glow * np.array([70, 52, 60]))


def _scene(
    gradient: Image.Image,
    ridge: tuple[int, int, int],
    disc: tuple[int, int, int],
    mast: tuple[int, int, int],
) -> Image.Image:
    """Return the gradient behind a ridge of hills, a disc and a mast."""
    width, height = gradient.size
    draw = ImageDraw.Draw(gradient)
    heights = (0.72, 0.66, 0.78, 0.7, 0.82, 0.68, 0.76)
    line = [(width * i / (len(heights) - 1), height * y) for i, y in enumerate(heights)]
    draw.polygon([(0, height), *line, (width, height)], fill=ridge)
    side = 0.2 * min(width, height)
    left, top = 0.6 * width, 0.15 * height
    draw.ellipse((left, top, left + side, top + side), fill=disc)
    corners = ((0.2 * width, height), (0.26 * width, 0.3 * height), (0.32 * width, height))
    draw.polygon(corners, fill=mast)
    return gradient


def _grainy(image: Image.Image, seed: int) -> Image.Image:
    """Return the picture with Gaussian noise, the same for the same seed and size."""
    values = np.asarray(image, np.float64)
    return _image(values + np.random.default_rng(seed).normal(0, GRAIN, values.shape))


def _letters(size: Size) -> Image.Image:
    """Return lines of text from small to large, dark on light above and light on dark below."""
    upper = Size((size.height + 1) // 2, size.width)
    sheet = Image.new("RGB", (size.width, size.height))
    sheet.paste(_page(upper, (246, 244, 238), (30, 30, 34)), (0, 0))
    sheet.paste(_page(upper, (24, 28, 40), (236, 232, 220)), (0, upper.height))
    return sheet


def _page(size: Size, paper: tuple[int, int, int], ink: tuple[int, int, int]) -> Image.Image:
    page = Image.new("RGB", (size.width, size.height), paper)
    draw = ImageDraw.Draw(page)
    top, points, line = 2.0, max(7.0, size.height / 18), 0
    while top < size.height:
        text = WORDS[7 * line % len(WORDS) :] + WORDS * (1 + size.width // 200)
        draw.text((4, top), text, ink, ImageFont.load_default(points))
        top, points, line = top + 1.35 * points, 1.3 * points, line + 1
    return page


def _colours(size: Size) -> Image.Image:
    """Return patches of full hues at three strengths, with hard edges, and a row of greys."""
    hues, rows = 12, ((255, 255), (255, 140), (110, 255), (0, 255))
    grid = np.zeros((len(rows), hues, 3), np.uint8)
    for row, (saturation, value) in enumerate(rows):
        for column in range(hues):
            grey = 255 * column // (hues - 1)
            shown = value if saturation else grey
            grid[row, column] = (255 * column // hues, saturation, shown)
    patches = Image.fromarray(grid, mode="HSV").convert("RGB")
    return patches.resize((size.width, size.height), Image.Resampling.NEAREST)


def _image(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8))
