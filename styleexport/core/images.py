"""Read pictures of any kind as upright RGB, and write them atomically."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from styleexport.core.errors import BadImage, UsageError
from styleexport.core.files import replace_file
from styleexport.core.quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MAX_PIXELS = 512_000_000


def read_image(path: Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Return the picture as RGB, 8 bits a channel, turned upright by its EXIF orientation.

    Grey, palette and CMYK pictures are converted, 16-bit ones scaled to 8 bits, transparent ones
    laid over ``background``. Of an animation the first frame is taken.

    Raises:
        BadImage: missing, not an image, truncated, or over 512 million pixels.
    """
    if not path.is_file():
        raise BadImage(f"image {path} does not exist; type the path of an image file")
    try:
        with quiet():
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                with Image.open(path, formats=_formats()) as opened:
                    width, height = opened.size
                    if width * height > MAX_PIXELS:
                        raise BadImage(
                            f"image {path} is {width}x{height} pixels, more than the "
                            f"{MAX_PIXELS // 1_000_000} million allowed: scale it down first"
                        )
                    opened.load()
                    upright = ImageOps.exif_transpose(opened)
                    return _as_rgb(upright, background)
            finally:
                Image.MAX_IMAGE_PIXELS = limit
    except UnidentifiedImageError as error:
        raise BadImage(
            f"image {path} is not an image that can be read; expected {', '.join(IMAGE_SUFFIXES)}"
        ) from error
    except BadImage:
        raise
    except MemoryError as error:
        raise BadImage(
            f"image {path} needs more memory than there is: scale it down first"
        ) from error
    except Exception as error:  # what damaged bytes make a decoder raise is not a closed list
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadImage(
            f"image {path} is damaged: {reason[:200]}; save or download it again"
        ) from error


def _formats() -> list[str]:
    """Return Pillow's names of the formats to read; one of its others runs a program."""
    known = Image.registered_extensions()
    return sorted({known[suffix] for suffix in IMAGE_SUFFIXES})


def check_suffix(path: Path) -> None:
    """Check that a file name has the suffix of a picture format.

    Raises:
        UsageError: the suffix is not one of a picture.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(
            f"{path} has no picture suffix; expected one of {', '.join(IMAGE_SUFFIXES)}: type for "
            f"example -o {path.with_suffix('.png') if path.name else 'painting.png'}"
        )


def _as_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I;16") or values.max() > 255 else 255.0
        image = Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, (*background, 255))
        return Image.alpha_composite(flat, rgba).convert("RGB")
    return image.convert("RGB")


def resize_shorter(image: Image.Image, side: int) -> Image.Image:
    """Return the picture scaled (Lanczos) so that its shorter side has ``side`` pixels."""
    scale = side / min(image.size)
    size = (max(side, round(image.width * scale)), max(side, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def array_from_image(image: Image.Image) -> NDArray[np.float32]:
    """Return the picture as [1, 3, H, W] float32 in 0..1."""
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


def image_from_array(array: NDArray[np.float32]) -> Image.Image:
    """Return the picture of a [1, 3, H, W] array in 0..1, rounded to 8 bits."""
    pixels = np.clip(array[0].transpose(1, 2, 0) * 255, 0, 255).round().astype(np.uint8)
    return Image.fromarray(pixels)


def write_image(image: Image.Image, path: Path, *, quality: int = 95) -> None:
    """Write a picture atomically, in the format of the suffix.

    Raises:
        UsageError: the suffix is not one of a picture, or its format cannot hold one so large.
        DeviceError: the folder is not writable or the disk is full.
    """
    check_suffix(path)
    kind = Image.registered_extensions()[path.suffix.lower()]
    options = {"quality": quality, "subsampling": 0} if kind == "JPEG" else {}
    encoded = io.BytesIO()
    try:
        image.save(encoded, format=kind, **options)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: {kind} cannot hold a picture of {image.width}x{image.height} ({error}); "
            f"type {path.with_suffix('.png')} instead"
        ) from error
    with replace_file(path) as part:
        part.write_bytes(encoded.getbuffer())
