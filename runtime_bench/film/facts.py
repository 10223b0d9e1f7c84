"""What is known of a film before its frames are read, and one frame of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import UsageError
from styleexport.core.types import Size

# [H, W, 3], RGB, 8 bits a channel.
Pixels = NDArray[np.uint8]

FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".3gp")
# Suffix → FFmpeg's name of the container that is written.
WRITTEN = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


@dataclass(frozen=True)
class FilmFacts:
    """Facts of a film.

    Attributes:
        path: file.
        size: size of a frame as it is shown, upright.
        frames: number of frames that the file claims, or that its length holds; None where it does
            not say.
        seconds: length of its pictures, which sound may exceed; None where the file does not say.
        rate: mean number of frames a second.
        time_base: seconds of one unit of a frame's time.
        pixel_aspect: width of a pixel, as it is shown, over its height.
        primaries: FFmpeg's number of the colour primaries; 2 for unknown ones.
        transfer: FFmpeg's number of the transfer function; 2 for an unknown one.
    """

    path: Path
    size: Size
    frames: int | None
    seconds: float | None
    rate: Fraction
    time_base: Fraction
    pixel_aspect: Fraction
    primaries: int
    transfer: int

    @property
    def is_hdr(self) -> bool:
        """Whether its values are those of PQ or HLG, which look pale where SDR is expected."""
        return self.transfer in (16, 18)


@dataclass(frozen=True)
class FilmFrame:
    """A frame of a film.

    Attributes:
        pixels: the picture, upright.
        time: when it is shown, in units of the film's time base.
        duration: how long, in the same units; 0 where it is unknown.
        seconds: when it is shown, in seconds.
    """

    pixels: Pixels
    time: int
    duration: int
    seconds: float


def is_film(path: Path) -> bool:
    """Whether a path has the suffix of a film."""
    return path.suffix.lower() in FILM_SUFFIXES


def check_film_suffix(path: Path) -> None:
    """Check that a file name has the suffix of a container that is written.

    Raises:
        UsageError: it has another one.
    """
    if path.suffix.lower() not in WRITTEN:
        raise UsageError(
            f"{path} has no suffix of a film to write; expected one of {', '.join(WRITTEN)}: type "
            f"for example -o {path.with_suffix('.mp4') if path.name else 'painted.mp4'}"
        )
