"""`styleexport styles`: packs of style codes inside an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import (
    PATH,
    human_bytes,
    json_option,
    print_json,
    print_table,
    say,
    talk,
)
from styleexport.cli._group import CommandGroup
from styleexport.cli._types import NUMBER

if TYPE_CHECKING:
    from styleexport.core.manifest import StylePackFact


@click.group(
    cls=CommandGroup,
    epilog="Example: styleexport styles pack adain-residual-onnx-int8 paintings/*.jpg",
)
def styles() -> None:
    """Pack pictures into style codes, blend codes, or list them."""


@styles.command(
    epilog="Example: styleexport styles pack adain-residual-onnx-int8 a.jpg b.jpg --name mine"
)
@click.argument("artifact", type=PATH)
@click.argument("images", type=PATH, nargs=-1, required=True)
@click.option("--name", default="styles", help="Name of the pack.")
@json_option
def pack(artifact: Path, images: tuple[Path, ...], name: str, as_json: bool) -> None:
    """Encode IMAGES (files or folders) into ARTIFACT/styles/NAME.safetensors.

    A code has the name of its file without the suffix; `stylize --style-code NAME` uses it without
    the encoder. Each gets a thumbnail for apps and the page of `serve`, painted by the artifact's
    transform file.
    """
    from styleexport.runtime_bench.stylize.style_pack import pack_styles

    _print_pack(artifact, pack_styles(artifact, images, name, talk), as_json)


@styles.command(
    epilog="Example: styleexport styles add adain-residual-onnx-int8 starry-night water-lilies"
)
@click.argument("artifact", type=PATH)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
def add(artifact: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Copy styles that ship with styleexport into ARTIFACT/styles/shipped.safetensors.

    Without NAME, all that ship for the artifact's weights. `stylize` finds them without this; apps
    read those in the artifact.
    """
    from styleexport.runtime_bench.stylize.style_pack import add_shipped_styles

    _print_pack(artifact, add_shipped_styles(artifact, names, progress=talk), as_json)


@styles.command(
    epilog="Example: styleexport styles blend adain-residual-onnx-int8 starry-night water-lilies "
    "--style-weight 0.7 --style-weight 0.3 --name pond"
)
@click.argument("artifact", type=PATH)
@click.argument("names", nargs=-1, metavar="NAME NAME...", required=True)
@click.option(
    "--style-weight",
    "weights",
    type=NUMBER,
    multiple=True,
    help="Weight of a style in the blend; repeat per style.  [default: equal]",
)
@click.option("--name", required=True, help="Name of the blend.")
@json_option
def blend(
    artifact: Path, names: tuple[str, ...], weights: tuple[float, ...], name: str, as_json: bool
) -> None:
    """Blend packed or shipped codes by NAME into ARTIFACT/styles/<name>.safetensors.

    Refused where codes of the network cannot be blended; `inspect` says whether they can.
    """
    from styleexport.runtime_bench.stylize.style_pack import blend_styles

    _print_pack(artifact, blend_styles(artifact, names, weights, name, talk), as_json)


@styles.command("list", epilog="Example: styleexport styles list adain-residual-onnx-int8")
@click.argument("artifact", type=PATH, required=False)
@json_option
def list_(artifact: Path | None, as_json: bool) -> None:
    """List the style codes packed in ARTIFACT; without one, those that ship with styleexport."""
    from styleexport.core.manifest import read_manifest
    from styleexport.core.shipped_styles import style_files, styles_of_weights

    if artifact is None:
        sets = [file.facts for file in style_files()]
        if as_json:
            print_json(sets)
            return
        print_table(
            ("style", "painting", "painter", "year", "network"),
            [
                (s.name, s.title, s.author, s.year, each.network)
                for each in sets
                for s in each.styles
            ],
        )
        return
    manifest = read_manifest(artifact)
    if as_json:
        print_json(manifest.styles)
        return
    rows = [(name, pack.path) for pack in manifest.styles for name in pack.names]
    packed = {name for name, _ in rows}
    shipped = styles_of_weights(manifest.network.name, manifest.network.source_sha256)
    if shipped is not None:
        place = f"ships with {shipped.facts.network}"
        rows += [(name, place) for name in shipped.names if name not in packed]
    print_table(("style", "pack"), rows)
    if manifest.network.code_layout is not None:
        say(manifest.network.code_layout.blending_line())


def _print_pack(artifact: Path, fact: StylePackFact, as_json: bool) -> None:
    if as_json:
        print_json(fact)
        return
    size = (artifact / fact.path).stat().st_size
    painted = ", with thumbnails" if fact.thumbnails else ""
    count = len(fact.names)
    styles = "1 style" if count == 1 else f"{count} styles"
    say(f"{artifact / fact.path}: {styles}, {human_bytes(size)}{painted}")
    say(f"names: {', '.join(fact.names)}")


SECTION = "make"
COMMAND = styles
