"""A film painted from one file into another."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from styleexport.core.errors import BadImage
from styleexport.core.files import replace_file
from styleexport.runtime_bench.film.facts import FilmFrame
from styleexport.runtime_bench.film.reader import FilmReader
from styleexport.runtime_bench.film.writer import FILM, FilmWriter
from styleexport.runtime_bench.stylize.film_painter import FramePainter


class FilmEnded(enum.StrEnum):
    """Why there are no more frames."""

    DONE = "done"
    EARLY = "early"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PaintedFilm:
    """What became of a film.

    Attributes:
        frames: number of frames written.
        ended: why there are no more.
        reason: what is wrong with a film that ends early; "" for others.
        converted: names of sound codecs that the container does not take, converted to AAC.
    """

    frames: int
    ended: FilmEnded
    reason: str
    converted: tuple[str, ...]


def paint_film(
    film: FilmReader,
    out: Path,
    painter: FramePainter,
    count: Callable[[int, int], None] = lambda *_: None,
) -> PaintedFilm:
    """Paint a film, and return what became of it.

    A film that ends early, by damage or by Ctrl-C, leaves a file of the frames that were painted,
    which plays; before the first frame it leaves none.

    Args:
        film: film that is open.
        out: file to write.
        painter: paints its frames.
        count: takes the number of frames done, and of all where the film says.

    Raises:
        BadImage: the film is damaged before its first frame is painted.
        UsageError: something that is not a film of ours is at ``out``.
        DeviceError: the folder is not writable or the disk is full.
    """
    ended, reason = FilmEnded.DONE, ""
    with (
        replace_file(out, FILM) as part,
        FilmWriter(part, out.suffix, film.facts, film.sounds) as writer,
    ):
        try:
            for item in film:
                if isinstance(item, FilmFrame):
                    painted = painter(Image.fromarray(item.pixels), item.seconds)
                    writer.write(np.asarray(painted), item)
                    count(writer.frames, film.facts.frames or 0)
                else:
                    writer.sound(item)
            if film.ends_early:
                ended, reason = FilmEnded.EARLY, f"film {film.path} ends early"
        except BadImage as error:
            if not writer.frames:
                raise
            ended, reason = FilmEnded.EARLY, str(error)
        except KeyboardInterrupt:
            if not writer.frames:
                raise
            ended = FilmEnded.STOPPED
    return PaintedFilm(writer.frames, ended, reason, tuple(writer.converted))
