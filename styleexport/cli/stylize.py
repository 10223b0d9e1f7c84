"""`styleexport stylize`: stylize a photograph, a folder of them, or a film with an artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, say, talk
from styleexport.cli._film import film_out, stylize_film
from styleexport.cli._full import with_tiles
from styleexport.cli._optimization import iterations_of, painter_of
from styleexport.cli._types import NUMBER, precision_type
from styleexport.core.errors import BadImage, UsageError

if TYPE_CHECKING:
    from PIL import Image

    from styleexport.core.arrays import Array
    from styleexport.core.types import Precision
    from styleexport.runtime_bench.stylize.stylizer import Stylizer


def _style_names(context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Return the styles of the artifact whose names begin with what was typed, for a shell."""
    from styleexport.core.errors import StyleExportError
    from styleexport.core.manifest import read_manifest

    try:
        manifest = read_manifest(context.params["artifact"], check_files=False)
    except (StyleExportError, KeyError):
        return []
    return [x for pack in manifest.styles for x in pack.names if x.startswith(typed)]


@click.command(
    short_help="Paint a photograph, a folder of them, or a film.",
    epilog="Examples: styleexport stylize adain-residual-onnx-int8 photo.jpg painting.jpg "
    "-o out.png  |  styleexport stylize adain-residual-onnx-int8 photos/ a.jpg b.jpg "
    "--style-weight 0.7 --style-weight 0.3 -o painted/  |  styleexport stylize gatys-artifact "
    "photo.jpg painting.jpg --iterations 100 --preview preview.png  |  styleexport stylize "
    "full-artifact clip.mp4 --style-code starry-night --stability 0.7 -o out.mp4",
)
@click.argument("artifact", type=PATH)
@click.argument("content", type=PATH)
@click.argument("styles", metavar="[STYLE]...", type=PATH, nargs=-1)
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="File to write; a folder if CONTENT is one.  [default: CONTENT-stylized.png]",
)
@click.option(
    "--strength",
    "--alpha",
    "alpha",
    type=NUMBER,
    default=1.0,
    help="Strength of the style, 0 to 1.",
)
@click.option(
    "--style-weight",
    "weights",
    type=NUMBER,
    multiple=True,
    help="Weight of a style in the blend; repeat per style, images first, then codes.",
)
@click.option(
    "--style-code",
    "codes",
    multiple=True,
    metavar="NAME",
    shell_complete=_style_names,
    help="Style code from `styles pack`, or one that ships: `styles list` names them; repeatable.",
)
@click.option(
    "--texture",
    metavar="STYLE",
    help="With --color: picture or code whose texture is painted, of networks such as artnet.",
)
@click.option(
    "--color",
    "colour",
    metavar="STYLE",
    help="With --texture: picture or code whose colours are taken.",
)
@click.option("--keep-colour", is_flag=True, help="Keep the photograph's colours.")
@click.option(
    "--max-side",
    type=click.IntRange(16, 8192),
    default=1024,
    help="Longer side at which a file of any size (--dynamic) runs.",
)
@click.option(
    "--full/--no-full",
    default=None,
    help="Paint at the photograph's own size, in tiles without seams, with an artifact of `export "
    "--full`.  [default: photographs that are larger than the files take]",
)
@click.option(
    "--stability",
    type=NUMBER,
    help="Smoothing of films over time, with an artifact of `export --full`: 0 takes each "
    "frame's own statistics, 1 smooths them longest.  [default: 0.25]",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the runtime.")
@click.option(
    "--target", metavar="TARGET", help="Run the files of this target, where there are several."
)
@click.option(
    "--precision",
    type=precision_type("--precision fp32"),
    help="Run the files of this precision, where there are several.",
)
@click.option(
    "--iterations",
    type=click.IntRange(1, 100_000),
    help="Iterations of a network that optimizes the picture; Ctrl-C keeps the best so far.  "
    "[default: the network's own]",
)
@click.option(
    "--preview",
    type=PATH,
    help="File that gets the best picture so far, every --preview-every iterations; or, of "
    "tiles, a first painting in one pass.",
)
@click.option(
    "--preview-every",
    type=click.IntRange(1),
    default=10,
    metavar="N",
    help="With --preview: iterations between two previews.",
)
@json_option
def stylize(
    artifact: Path,
    content: Path,
    styles: tuple[Path, ...],
    out: Path | None,
    alpha: float,
    weights: tuple[float, ...],
    codes: tuple[str, ...],
    texture: str | None,
    colour: str | None,
    keep_colour: bool,
    max_side: int,
    full: bool | None,
    stability: float | None,
    threads: int | None,
    target: str | None,
    precision: Precision | None,
    iterations: int | None,
    preview: Path | None,
    preview_every: int,
    as_json: bool,
) -> tuple[Path, ...]:
    """Paint CONTENT (a picture, a folder or a film) with ARTIFACT in the style of STYLE.

    Pictures may have any size. An artifact of `export --full` paints large ones at their own size,
    in tiles. Otherwise, of the artifact's sizes the one that keeps the most pixels is used: the
    picture is scaled to fit, padded by mirroring, and the result scaled back.

    Films keep their sound, times and orientation; Ctrl-C ends one with the frames so far.
    """
    from styleexport.runtime_bench.runners._runner import RunOptions
    from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

    options = StylizeOptions(alpha, keep_colour, max_side)
    pair = _texture_and_colour(texture, colour, (styles, codes, weights))
    runs: list[dict[str, object]] = []
    film = film_out(content, out, stability, preview)
    with Stylizer(artifact, RunOptions(threads), target, precision) as stylizer:
        how = iterations_of(stylizer, iterations, preview, preview_every)
        jobs = [] if film else _jobs(content, out, (*styles, *map(Path, pair)))
        style = _textured(stylizer, pair) if pair else _style(stylizer, styles, codes, weights)
        if film:
            stylize_film(stylizer, content, film, style, options, full, stability, as_json)
            return (film,)
        painter = painter_of(stylizer, style, options, how, preview, runs)
        painter = with_tiles(painter, stylizer, style, options, full, preview)
        written, failed = _paint(painter, jobs)
    if as_json:
        optimized = {"optimized": runs} if runs else {}
        print_json({"written": [str(p) for p in written], "failed": failed, **optimized})
    else:
        for path in written:
            say(str(path))
    if failed:
        raise BadImage(f"{len(failed)} of {len(jobs)} pictures were left out; {failed[0]}")
    return tuple(written)


def _jobs(content: Path, out: Path | None, styles: tuple[Path, ...]) -> list[tuple[Path, Path]]:
    """Return (picture, result) pairs."""
    from styleexport.core.images import IMAGE_SUFFIXES, check_picture_out

    if content.is_dir():
        whole = content if content.name not in ("", "..") else content.resolve()
        folder = out or whole.with_name(f"{whole.name}-stylized")
        if folder.is_file():
            raise UsageError(
                f"{folder} is a file, expected a folder for a folder: choose another -o"
            )
        pictures = sorted(p for p in content.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not pictures:
            raise UsageError(
                f"{content} holds no pictures; expected files ending in {', '.join(IMAGE_SUFFIXES)}"
            )
        jobs = [(picture, folder / f"{picture.name}.png") for picture in pictures]
        if len({p.stem for p in pictures}) == len(pictures):
            jobs = [(picture, folder / f"{picture.stem}.png") for picture in pictures]
    elif not content.exists():
        raise BadImage(f"image {content} does not exist; type the path of an image file")
    else:
        target = out or Path(f"{content.stem}-stylized.png")
        target = target / f"{content.stem}-stylized.png" if target.is_dir() else target
        jobs = [(content, target)]
    inputs = {path.resolve() for path in (*styles, *(job[0] for job in jobs))}
    for _, target in jobs:
        if target.resolve() in inputs:
            raise UsageError(f"{target} is one of the inputs: choose another place with -o")
        check_picture_out(target)
    return jobs


def _style(
    stylizer: Stylizer, styles: tuple[Path, ...], codes: tuple[str, ...], weights: tuple[float, ...]
) -> object:
    """Return the style of the call: a code, a picture, or None for a network with a fixed style."""
    from styleexport.core.images import read_image
    from styleexport.runtime_bench.stylize.blending import approximation

    if stylizer.is_fixed_style:
        if styles or codes or weights:
            raise UsageError(
                f"{stylizer.folder} has one style of its own: leave out STYLE, --style-code and "
                "--style-weight"
            )
        return None
    if not styles and not codes:
        raise UsageError("a style is needed: name a STYLE image or --style-code NAME")
    if stylizer.takes_picture_only:
        if len(styles) != 1 or codes or weights:
            raise UsageError(
                f"{stylizer.folder} takes one style picture: export again with --role encode "
                "--role transform for codes and blends"
            )
        return read_image(styles[0])
    packed = [stylizer.packed(name) for name in codes]
    encoded = [stylizer.encode(read_image(path)) for path in styles]
    code = stylizer.blend([*encoded, *packed], weights)
    if len(styles) + len(codes) > 1 and (line := approximation(stylizer.manifest.network)):
        talk(line)
    return code


def _texture_and_colour(
    texture: str | None, colour: str | None, others: tuple[tuple[object, ...], ...]
) -> tuple[str, ...]:
    """Return the two styles of --texture and --color; () without them.

    Raises:
        UsageError: one of them alone, or another style beside them.
    """
    if texture is None and colour is None:
        return ()
    if texture is None or colour is None or any(others):
        raise UsageError(
            "--texture and --color are the style of the call: type both, and leave out STYLE, "
            "--style-code and --style-weight"
        )
    return texture, colour


def _textured(stylizer: Stylizer, pair: Sequence[str]) -> object:
    """Return the code of one style's texture in another's colours."""
    from styleexport.core.images import read_image
    from styleexport.runtime_bench.stylize.blending import textured

    def code(name: str) -> Array:
        is_picture = Path(name).suffix != "" or Path(name).exists()
        return stylizer.encode(read_image(Path(name))) if is_picture else stylizer.packed(name)

    if stylizer.is_fixed_style or stylizer.takes_picture_only:
        raise UsageError(f"{stylizer.folder} takes no style codes: leave out --texture and --color")
    texture, colour = map(code, pair)
    return textured(texture, colour, stylizer.manifest.network)


def _paint(
    painter: Callable[[Image.Image], Image.Image], jobs: list[tuple[Path, Path]]
) -> tuple[list[Path], list[str]]:
    """Return the files written, and an error for each picture that was left out."""
    from styleexport.core.images import read_image, write_image

    written: list[Path] = []
    failed: list[str] = []
    for number, (picture, target) in enumerate(jobs, start=1):
        try:
            image = read_image(picture)
        except BadImage as error:
            if len(jobs) == 1:
                raise
            failed.append(str(error))
            continue
        write_image(painter(image), target)
        written.append(target)
        if len(jobs) > 1:
            talk(f"{number}/{len(jobs)} {target}")
    return written, failed


SECTION = "apps"
COMMAND = stylize
