"""`styleexport harness`: build artifacts into the sample apps for phones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, human_bytes, json_option, print_json, print_table, say
from styleexport.cli._group import CommandGroup

if TYPE_CHECKING:
    from styleexport.runtime_bench.phones.sync import System

SYSTEMS: tuple[System, ...] = ("android", "ios")


@click.group(
    cls=CommandGroup,
    epilog="Example: styleexport harness sync adain-residual-tflite-int8 --into android",
)
def harness() -> None:
    """Put artifacts into the sample apps for Android and iOS."""


@harness.command(epilog="Example: styleexport harness sync adain-residual-coreml-fp16 --into ios")
@click.argument("artifact", type=PATH)
@click.option(
    "--into", type=click.Choice(SYSTEMS), required=True, help="Sample app to build it into."
)
@click.option(
    "--app",
    type=PATH,
    help="Source folder of the app.  [default: android_harness or ios_harness, here or above]",
)
@json_option
def sync(artifact: Path, into: System, app: Path | None, as_json: bool) -> None:
    """Copy the files of ARTIFACT that an app runs into the app's resources.

    The Android app runs .tflite and .onnx files, the iOS app .mlpackage and .aimodel ones. Probes,
    style packs and their thumbnails are copied too, with a manifest of just these files. An
    artifact of the same name is replaced.
    """
    from styleexport.runtime_bench.phones.sync import sync as put

    synced = put(artifact, into, app)
    if as_json:
        print_json({"folder": str(synced.folder), "sizes": synced.sizes, "bundled": synced.bundled})
        return
    print_table(("file", "bytes"), [(p, human_bytes(size)) for p, size in synced.sizes.items()])
    say(f"{synced.folder}: {human_bytes(synced.total_bytes)}")
    if len(synced.bundled) > 1:
        whole = human_bytes(sum(synced.bundled.values()))
        say(f"built into the app: {', '.join(synced.bundled)}, {whole}")


SECTION = "apps"
COMMAND = harness
