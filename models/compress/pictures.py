"""Calibration and held-out pictures for pruning, and variations of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from styleexport.core.assets import bundled
from styleexport.core.errors import UsageError
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop, evenly_spread, pixel_sha256
from styleexport.core.types import Size
from styleexport.models.training.data import image_files

FEWEST = 16
HELD_OUT_EVERY = 4
MOST = 64


@dataclass(frozen=True)
class PictureSet:
    """Pictures in two disjoint parts.

    Attributes:
        calibration: pictures that decide what is removed.
        held_out: pictures that the result is measured on.
        sha256: sha256 over the pixels of all, in order.
    """

    calibration: tuple[Image.Image, ...]
    held_out: tuple[Image.Image, ...]
    sha256: str


def read_pictures(folders: Sequence[Path]) -> PictureSet:
    """Return the pictures of folders, or those that ship with the package; every fourth held out.

    At most 64 are read, evenly spaced in the order of their names.

    Raises:
        UsageError: a folder does not exist, or there are fewer than 16 pictures.
        BadImage: a picture cannot be read.
    """
    files = image_files(folders) if folders else [*bundled("content"), *bundled("style")]
    if len(files) < FEWEST:
        raise UsageError(
            f"{len(files)} pictures under {', '.join(map(str, folders))} are too few to call a "
            f"channel empty, expected {FEWEST} or more: add folders with --calibration, or leave "
            "it out for those that ship with the package"
        )
    pictures = [read_image(file) for file in evenly_spread(files, MOST)]
    held_out = pictures[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    others = [p for i, p in enumerate(pictures) if i % HELD_OUT_EVERY != HELD_OUT_EVERY - 1]
    return PictureSet(tuple(others), tuple(held_out), pixel_sha256(pictures))


def at_size(picture: Image.Image, size: Size) -> Tensor:
    """Return the centre crop of a picture, [1, 3, H, W] in 0..1."""
    return torch.from_numpy(array_from_image(centre_crop(picture, size)))


def variants(picture: Tensor) -> list[Tensor]:
    """Return six variants of a picture [1, 3, H, W] in 0..1, of the same shape and range.

    The picture itself, its negative, two permutations of its colour channels, a faint one and one
    of extreme contrast: few pictures then show more of what a channel responds to.
    """
    hard = (picture - 0.5).sign() / 2 + 0.5
    return [picture, 1 - picture, picture.roll(1, 1), picture.roll(2, 1), picture / 4, hard]


def extremes(size: Size) -> list[Tensor]:
    """Return inputs that photographs seldom have: flat colours, noise, checkerboards.

    Each is [1, 3, H, W] in 0..1.
    """
    shape = (1, 3, size.height, size.width)
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    flat = [corner.reshape(1, 3, 1, 1).expand(shape).clone() for corner in corners]
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(size.height).reshape(-1, 1) + torch.arange(size.width)
    checkers = [((rows // side) % 2).float().expand(shape).clone() for side in (1, 4)]
    return [*flat, noise, *checkers]
