"""`styleexport publish`: fill a folder that a model hub takes."""

from __future__ import annotations

from pathlib import Path

import click

from styleexport.cli._common import PATH, json_option, print_json, say, talk


@click.command(
    short_help="Fill a folder that a model hub takes.",
    epilog="Example: styleexport publish adain-residual-onnx-int8 -o hub",
)
@click.argument("artifact", type=PATH)
@click.option("-o", "--out", type=PATH, help="Folder to write.  [default: ARTIFACT-published]")
@json_option
def publish(artifact: Path, out: Path | None, as_json: bool) -> None:
    """Copy ARTIFACT into a folder with a model card, licence, sample pictures and SHA256SUMS.

    The folder is still an artifact: `styleexport verify` and `styleexport stylize` take it. Nothing
    is uploaded: the command to type is printed last. A folder as an earlier call wrote it is
    replaced; one with edited files is kept.
    """
    from styleexport.runtime_bench.publish.publish import publish as run

    folder = out or artifact.with_name(f"{artifact.resolve().name}-published")
    done = run(artifact, folder, talk)
    if as_json:
        print_json(
            {
                "folder": str(done.folder),
                "files": done.files,
                "remarks": done.remarks,
                "command": done.command,
            }
        )
        return
    say(f"{done.folder}: {len(done.files)} files")
    for remark in done.remarks:
        talk(f"note: {remark}")
    say(f"to upload it, type: {done.command}")


SECTION = "apps"
COMMAND = publish
