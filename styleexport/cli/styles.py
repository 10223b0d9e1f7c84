"""`styleexport styles`: packs of style codes inside an artifact."""

from __future__ import annotations

from pathlib import Path

import click

from styleexport.cli._common import PATH, human_bytes, json_option, print_json, print_table, say
from styleexport.cli._group import CommandGroup


@click.group(
    cls=CommandGroup, epilog="Example: styleexport styles pack adain-lite-onnx-int8 paintings/*.jpg"
)
def styles() -> None:
    """Pack style images into one small file of style codes."""


@styles.command(
    epilog="Example: styleexport styles pack adain-lite-onnx-int8 a.jpg b.jpg --name mine"
)
@click.argument("artifact", type=PATH)
@click.argument("images", type=PATH, nargs=-1, required=True)
@click.option("--name", default="styles", show_default=True, help="Name of the pack.")
@json_option
def pack(artifact: Path, images: tuple[Path, ...], name: str, as_json: bool) -> None:
    """Encode IMAGES (files or folders) into ARTIFACT/styles/NAME.safetensors.

    A code has the name of its file without the suffix; `stylize --style-code NAME` uses it without
    the encoder.
    """
    from styleexport.runtime_bench.stylize.style_pack import pack_styles

    fact = pack_styles(artifact, images, name)
    if as_json:
        print_json(fact)
        return
    size = (artifact / fact.path).stat().st_size
    say(f"{artifact / fact.path}: {len(fact.names)} styles, {human_bytes(size)}")
    say(f"names: {', '.join(fact.names)}")


@styles.command("list", epilog="Example: styleexport styles list adain-lite-onnx-int8")
@click.argument("artifact", type=PATH)
@json_option
def list_(artifact: Path, as_json: bool) -> None:
    """List the style codes packed in ARTIFACT."""
    from styleexport.core.manifest import read_manifest

    manifest = read_manifest(artifact)
    if as_json:
        print_json(manifest.styles)
        return
    rows = [(name, pack.path) for pack in manifest.styles for name in pack.names]
    print_table(("style", "pack"), rows)


SECTION = "make"
COMMAND = styles
