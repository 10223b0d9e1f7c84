"""`styleexport harness`: artifacts built into the sample apps for phones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, human_bytes, json_option, print_json, print_table

if TYPE_CHECKING:
    from styleexport.runtime_bench.phones.sync import System

SYSTEMS: tuple[System, ...] = ("android", "ios")


@click.group(epilog="Example: styleexport harness sync adain-lite-tflite-int8 --into android")
def harness() -> None:
    """Put artifacts into the sample apps for Android and iOS."""


@harness.command(epilog="Example: styleexport harness sync adain-lite-coreml-fp16 --into ios")
@click.argument("artifact", type=PATH)
@click.option("--into", type=click.Choice(SYSTEMS), required=True, help="Which app.")
@click.option(
    "--app",
    type=PATH,
    help="Its source.  [default: android_harness or ios_harness, from here upwards]",
)
@json_option
def sync(artifact: Path, into: System, app: Path | None, as_json: bool) -> None:
    """Copy what the app runs of ARTIFACT into the resources that are built into it.

    Android's app runs .tflite and .onnx files, the one for iOS .mlpackage. Probes and packs of
    styles go with them, and a manifest of no more than that. An artifact of the same name is
    replaced.
    """
    from styleexport.runtime_bench.phones.sync import sync as put

    found = put(artifact, into, app)
    if as_json:
        print_json({"folder": str(found.folder), "sizes": found.sizes, "bundled": found.bundled})
        return
    print_table(("file", "bytes"), [(p, human_bytes(size)) for p, size in found.sizes.items()])
    click.echo(f"{found.folder}: {human_bytes(found.total_bytes)}")
    if len(found.bundled) > 1:
        whole = human_bytes(sum(found.bundled.values()))
        click.echo(f"built into the app: {', '.join(found.bundled)}, {whole}")


COMMAND = harness
