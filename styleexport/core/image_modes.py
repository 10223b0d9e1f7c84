"""Conversion of pictures of every Pillow mode to RGB, 8 bits a channel.

A picture is converted by bands of rows, so that beside it and its result no whole copy is held.

- 16-bit grey is scaled by 255 / 65535, whatever the values are.
- 32-bit integers and floats do not say what white is. Their range is taken from the values where it
  is clear, and the picture is refused where it is not.
- Colours with an ICC profile other than sRGB become sRGB. A damaged profile, or one of another
  colour space than the picture's, is ignored, as browsers do.
- What is transparent is laid over a background, in sRGB.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from styleexport.core.errors import BadImage

BAND_PIXELS = 1 << 20
GREY = ("1", "L", "LA", "La", "I", "F")
ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
# Of 8-bit values: two conversions of equal colours differ by this much through rounding.
SAME_COLOUR = 2

Band = Callable[[Image.Image], Image.Image]


def rgb_from_image(image: Image.Image, path: Path, background: tuple[int, int, int]) -> Image.Image:
    """Return a loaded picture as RGB.

    Args:
        image: picture of any mode.
        path: its file, for messages.
        background: colour, 0..255, behind what is transparent.

    Raises:
        BadImage: the range of its values is not clear.
    """
    narrow, colours = _narrowing(image, path), _colour_conversion(image)
    transparent = image.mode in ALPHA or "transparency" in image.info
    if image.mode == "RGB" and colours is None and not transparent:
        return image
    rgb = Image.new("RGB", image.size)
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        band = narrow(band) if narrow else band
        flat = colours(band) if colours else band.convert("RGB")
        if "A" in band.getbands() or "a" in band.getbands() or "transparency" in band.info:
            behind = Image.new("RGB", band.size, background)
            behind.paste(flat, mask=_rgba(band).getchannel("A"))
            flat = behind
        rgb.paste(flat, (0, top))
    return rgb


def _narrowing(image: Image.Image, path: Path) -> Band | None:
    """Return the conversion of a band to 8 bits, where the mode has more or Pillow has none."""
    if image.mode == "La":
        return _from_premultiplied_grey
    if image.mode == "RGBa":
        return lambda band: band.convert("RGBA")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _from_16_bits
    if image.mode in ("I", "F"):
        top = _white(image, path)
        return lambda band: _scaled(np.asarray(band, np.float64) * (255 / top), path)
    return None


def _white(image: Image.Image, path: Path) -> float:
    """Return the value of white in a picture of 32-bit numbers, judged by its values.

    Raises:
        BadImage: they fit no range, or could be of several.
    """
    low, high = (float(value) for value in image.getextrema())  # pyright: ignore[reportArgumentType]
    # Sharpening and resampling overshoot a range by a little.
    if image.mode == "F":
        ranges = {1.0: (-0.05, 0.0, 1.05), 255.0: (-12.75, 32.0, 267.75)}
    else:
        ranges = {255.0: (0.0, 32.0, 255.0), 65535.0: (0.0, 16384.0, 65535.0)}
    for white, (lowest, least, most) in ranges.items():
        if low >= lowest and least <= high <= most:
            return white
    if low == high == 0:
        return 1.0
    kind = "32-bit floats" if image.mode == "F" else "32-bit integers"
    known = " or ".join(f"0 to {white:g}" for white in ranges)
    raise BadImage(
        f"image {path} holds {kind} from {low:g} to {high:g}, and nothing says which of them is "
        f"white: expected values that fill {known}; save it with 8 or 16 bits a channel"
    )


def _scaled(values: np.ndarray, path: Path) -> Image.Image:
    if not np.isfinite(values).all():
        raise BadImage(
            f"image {path} holds NaN or infinite values: save it with 8 or 16 bits a channel"
        )
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def _from_16_bits(band: Image.Image) -> Image.Image:
    """Return grey of 16 bits as 8, with the alpha that a transparent value asks for."""
    values = np.asarray(band).astype(np.uint32)
    grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    clear = band.info.get("transparency")
    if isinstance(clear, int):
        alpha = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
        return Image.merge("LA", (grey, alpha))
    return grey


def _from_premultiplied_grey(band: Image.Image) -> Image.Image:
    grey, alpha = band.split()
    rgba = Image.merge("RGBa", (grey, grey, grey, alpha)).convert("RGBA")
    return Image.merge("LA", (rgba.getchannel("R"), alpha))


def _rgba(band: Image.Image) -> Image.Image:
    clear = band.info.get("transparency")
    if isinstance(clear, tuple) and max(clear) > 255:
        # The transparent colour has the 16 bits a channel of the file, the pixels have 8.
        band.info["transparency"] = tuple(value >> 8 for value in clear)
    return band.convert("RGBA")


def _colour_conversion(image: Image.Image) -> Band | None:
    """Return the conversion of a band of a picture with a profile to sRGB; None for sRGB."""
    raw = image.info.get("icc_profile")
    if not isinstance(raw, bytes):
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(raw))
        space = ImageCms.core.profile_frombytes(raw).xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(space)
        grey = image.mode in GREY or image.mode.startswith("I;16")
        if mode is None or (mode == "CMYK") != (image.mode == "CMYK") or (mode == "L" and not grey):
            return None
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode != "CMYK" and _keeps_colours(transform, mode):
            return None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None

    def convert(band: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(band.convert(mode), transform)
        assert converted is not None
        return converted

    return convert


def _keeps_colours(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a conversion leaves a lattice of colours where it is, but for rounding."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    if mode == "L":
        colours = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    before = Image.fromarray(colours).convert(mode)
    after = np.asarray(ImageCms.applyTransform(before, transform), np.int16)
    return bool(np.abs(after - colours.astype(np.int16)).max() <= SAME_COLOUR)
