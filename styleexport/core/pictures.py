"""Centre crops of pictures, an evenly spread choice of many, and a digest of their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

from PIL import Image, ImageOps

from styleexport.core.types import Size

T = TypeVar("T")


def centre_crop(picture: Image.Image, size: Size) -> Image.Image:
    """Return the largest centred part with the proportions of ``size``, scaled to it (Lanczos)."""
    return ImageOps.fit(picture, (size.width, size.height), Image.Resampling.LANCZOS)


def evenly_spread(items: Sequence[T], most: int) -> list[T]:
    """Return ``most`` of the items at even distances, or all where there are no more."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def pixel_sha256(pictures: Iterable[Image.Image]) -> str:
    """Return the sha256 in hexadecimal over the sizes and pixels of pictures, in order."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.size}".encode())
        digest.update(picture.tobytes())
    return digest.hexdigest()
