"""Films in `styleexport stylize`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import print_json, say, talk
from styleexport.core.errors import BadImage, UsageError

if TYPE_CHECKING:
    from styleexport.runtime_bench.film.facts import FilmFacts
    from styleexport.runtime_bench.stylize.film import PaintedFilm
    from styleexport.runtime_bench.stylize.film_painter import FramePainter
    from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

INTERRUPTED = 130


def film_out(
    content: Path, out: Path | None, stability: float | None, preview: Path | None
) -> Path | None:
    """Return the file to write for a film; None for pictures.

    Raises:
        UsageError: --stability without a film, --preview with one, or a file that cannot be
            written.
        MissingExtra: PyAV is not installed.
    """
    from styleexport.runtime_bench.film.facts import is_film

    if not is_film(content) or content.is_dir():
        if stability is not None:
            raise UsageError(f"--stability is for films, and {content} is none: leave it out")
        return None
    if preview is not None:
        raise UsageError("--preview is for photographs, not for films: leave it out")
    from styleexport.core.plugins import needs

    with needs("a film"):
        from styleexport.runtime_bench.film.writer import check_film_out

        target = out or Path(f"{content.stem}-stylized.mp4")
        target = target / f"{content.stem}-stylized.mp4" if target.is_dir() else target
        check_film_out(target, content)
    return target


def stylize_film(
    stylizer: Stylizer,
    content: Path,
    out: Path,
    style: object,
    options: StylizeOptions,
    full: bool | None,
    stability: float | None,
    as_json: bool,
) -> None:
    """Paint a film.

    Args:
        stylizer: artifact.
        content: the film.
        out: file to write.
        style: see `Stylizer.stylize`.
        options: strength, colours and size.
        full: whether files that paint in tiles are used; None where the artifact has them.
        stability: see `SmoothedStatistics`; None for the default.
        as_json: whether the result is printed as JSON.

    Raises:
        UsageError: the network optimizes pictures, or the stability does not fit.
        BadImage: the film cannot be read, or ends early.
        click.exceptions.Exit: it was interrupted; the frames so far were written.
    """
    from styleexport.core.counted import Counter
    from styleexport.runtime_bench.film.reader import FilmReader
    from styleexport.runtime_bench.stylize.film import FilmEnded, paint_film

    if stylizer.is_optimized:
        raise UsageError(
            f"{stylizer.folder} paints by iterations, which take minutes a frame: choose an "
            "artifact with a transform or stylize file for films"
        )
    with FilmReader(content) as film:
        painter = _painter(stylizer, style, options, full, stability)
        _say_what_is_lost(film.facts)
        began = time.monotonic()
        done = paint_film(film, out, painter, Counter("frames", talk))
        rate = done.frames / (time.monotonic() - began)
    _report(out, done, rate, painter.cuts, as_json)
    if film.damaged:
        talk(f"{film.damaged} damaged packets of {content} were left out")
    if done.ended is FilmEnded.EARLY:
        raise BadImage(
            f"{done.reason}: {out} holds the {done.frames} frames that could be read, and plays"
        )
    if done.ended is FilmEnded.STOPPED:
        talk(f"interrupted: {out} holds the {done.frames} frames painted so far, and plays")
        raise click.exceptions.Exit(INTERRUPTED)


def _painter(
    stylizer: Stylizer,
    style: object,
    options: StylizeOptions,
    full: bool | None,
    stability: float | None,
) -> FramePainter:
    """Return what paints frames: by smoothed statistics where the artifact can."""
    if full is False and stability is not None:
        raise UsageError("--stability is of files that paint in tiles: leave out --no-full")
    from styleexport.runtime_bench.stylize.film_painter import (
        DEFAULT_STABILITY,
        SingleFramePainter,
        StableFramePainter,
    )
    from styleexport.runtime_bench.stylize.full_picture import tiling_of

    has_files = tiling_of(stylizer) is not None
    if full is False or (full is None and stability is None and not has_files):
        if full is None:
            talk(
                "each frame is painted by itself: --stability needs files of `styleexport export "
                f"--full`, which {stylizer.folder} does not have"
            )
        return SingleFramePainter(stylizer, style, options)  # pyright: ignore[reportArgumentType]
    strength = DEFAULT_STABILITY if stability is None else stability
    return StableFramePainter(stylizer, style, options, strength)  # pyright: ignore[reportArgumentType]


def _say_what_is_lost(facts: FilmFacts) -> None:
    if facts.is_hdr:
        talk(
            f"{facts.path} is HDR: its values are painted as they are, and look pale; convert it "
            "to SDR first"
        )
    if facts.size.height % 2 or facts.size.width % 2:
        talk(f"the last row or column of {facts.size} is written twice: H.264 takes even sides")


def _report(out: Path, done: PaintedFilm, rate: float, cuts: int | None, as_json: bool) -> None:
    if done.converted:
        talk(f"sound: {', '.join(done.converted)} converted to AAC, as {out.suffix} lacks it")
    more = "" if cuts is None else f", {cuts} cut{'' if cuts == 1 else 's'} found"
    talk(f"{done.frames} frames, {rate:.2f} a second{more}")
    if as_json:
        facts = {"frames": done.frames, "ended": done.ended, "cuts": cuts}
        print_json({"written": [str(out)], **facts, "frames_per_second": round(rate, 3)})
    else:
        say(str(out))
