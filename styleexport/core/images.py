"""Read pictures of any kind as upright RGB, and write them atomically."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from styleexport.core.errors import BadImage, UsageError
from styleexport.core.files import Product, check_replaceable, replace_file
from styleexport.core.image_modes import rgb_from_image
from styleexport.core.input_files import check_input, open_input
from styleexport.core.quiet import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MAX_PIXELS = 512_000_000
# EXIF orientation → what turns the picture upright; 1 is upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# In the metadata of every picture written, by which the next run knows it for one of ours.
MARK = "styleexport"


def read_image(path: Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Return the picture as RGB, 8 bits a channel, turned upright by its EXIF orientation.

    Every mode is converted (`core/image_modes.py`); what is transparent is laid over
    ``background``. Of an animation the first frame is taken. Beside the result, memory holds the
    picture as Pillow decodes it: together at most 12 bytes a pixel, for WebP 20.

    Raises:
        BadImage: missing, not an image, truncated, of an unclear range, or over 512 million pixels.
    """
    check_input(path, "image", error=BadImage, remedy="type the path of an image file")
    try:
        with quiet():
            # Some formats allocate when opened: Pillow itself refuses twice our limit.
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
            try:
                rgb, orientation = _decode(path, background)
            finally:
                Image.MAX_IMAGE_PIXELS = limit
        return rgb.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else rgb
    except UnidentifiedImageError as error:
        raise BadImage(
            f"image {path} is not an image that can be read; expected {', '.join(IMAGE_SUFFIXES)} "
            "with 8 or 16 bits a channel"
        ) from error
    except Image.DecompressionBombError as error:
        count = int(re.findall(r"\d+", str(error))[0])
        raise BadImage(
            f"image {path} has {count // 1_000_000} million pixels, more than the "
            f"{MAX_PIXELS // 1_000_000} million allowed: scale it down first"
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


def _decode(path: Path, background: tuple[int, int, int]) -> tuple[Image.Image, int]:
    """Return a picture as RGB, not yet upright, and its EXIF orientation.

    The picture as Pillow decoded it is gone on return.
    """
    with Image.open(path, formats=_formats()) as opened:
        width, height = opened.size
        if width * height > MAX_PIXELS:
            raise BadImage(
                f"image {path} is {width}x{height} pixels, more than the "
                f"{MAX_PIXELS // 1_000_000} million allowed: scale it down first"
            )
        opened.load()
        orientation = 1
        with contextlib.suppress(Exception):  # damaged EXIF data leaves the picture as it is
            orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
        rgb = rgb_from_image(opened, path, background)
        return (rgb.copy() if rgb is opened else rgb), orientation


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


def resize_shorter(image: Image.Image, side: int) -> Image.Image:
    """Return the picture scaled (Lanczos) so that its shorter side has ``side`` pixels."""
    scale = side / min(image.size)
    size = (max(side, round(image.width * scale)), max(side, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def array_from_image(image: Image.Image) -> NDArray[np.float32]:
    """Return the picture as [1, 3, H, W] float32 in 0..1."""
    array = np.empty((1, 3, image.height, image.width), np.float32)
    for channel, band in enumerate(image.split()):
        np.divide(np.asarray(band), np.float32(255), out=array[0, channel])
    return array


def image_from_array(array: NDArray[np.float32]) -> Image.Image:
    """Return the picture of a [1, 3, H, W] array in 0..1, rounded to 8 bits."""
    bands = [
        Image.fromarray((channel * 255).clip(0, 255).round().astype(np.uint8))
        for channel in array[0]
    ]
    return Image.merge("RGB", bands)


def check_picture_out(path: Path) -> None:
    """Check that a picture can be written to a path, before it is made.

    Raises:
        UsageError: the suffix is not one of a picture, or something that is not a picture of ours
            is there.
    """
    check_suffix(path)
    check_replaceable(path, PICTURE)


def write_image(image: Image.Image, path: Path, *, quality: int = 95) -> None:
    """Write a picture atomically, in the format of the suffix, marked as ours.

    Raises:
        UsageError: something that is not a picture of ours is at the path.
        UsageError: the suffix is not one of a picture, or its format cannot hold one so large.
        DeviceError: the folder is not writable or the disk is full.
    """
    check_suffix(path)
    kind = Image.registered_extensions()[path.suffix.lower()]
    options = {"quality": quality, "subsampling": 0} if kind == "JPEG" else {}
    options |= {"comment": MARK} if kind == "GIF" else {"exif": _marked()}
    encoded = io.BytesIO()
    try:
        image.save(encoded, format=kind, **options)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: {kind} cannot hold a picture of {image.width}x{image.height} ({error}); "
            f"type {path.with_suffix('.png')} instead"
        ) from error
    with replace_file(path, PICTURE) as part:
        part.write_bytes(encoded.getbuffer())


def _marked() -> Image.Exif:
    """Return the metadata by which a picture is known for one of ours (BMP keeps none)."""
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = MARK
    return exif


def _is_ours(path: Path) -> bool:
    with open_input(path) as file, Image.open(file, formats=_formats()) as opened:
        comment = opened.info.get("comment")
        return MARK.encode() == comment or opened.getexif().get(ExifTags.Base.Software) == MARK


PICTURE = Product("a picture that styleexport wrote", _is_ours)
