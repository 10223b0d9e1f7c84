"""`styleexport verify`: check the files of an artifact and their outputs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, say
from styleexport.core.errors import ParityFailure

if TYPE_CHECKING:
    from styleexport.core.manifest import ParityFact


@click.command(
    short_help="Check the files of an artifact on this machine.",
    epilog="Example: styleexport verify adain-residual-onnx-int8",
)
@click.argument("artifact", type=PATH)
@json_option
def verify(artifact: Path, as_json: bool) -> dict[str, tuple[ParityFact, ...]]:
    """Check every file of ARTIFACT on this machine: its sha256, then its output on the probes."""
    from styleexport.core.manifest import read_manifest
    from styleexport.runtime_bench.parity import check_artifact

    manifest = read_manifest(artifact)
    checked = check_artifact(artifact, manifest)
    if as_json:
        print_json(checked)
    else:
        print_table(
            ("file", "runner", "measured", "allowed", "verdict"),
            [
                (
                    path,
                    parity.runner,
                    f"{parity.measured_db:.1f} dB",
                    f"{parity.allowed_db:g} dB",
                    "pass" if parity.passed else "FAIL",
                )
                for path, parities in checked.items()
                for parity in parities
            ],
        )
        if manifest.network.pixels is not None:
            say(f"measured against the network with {manifest.network.pixels.summary}")
    failed = [(path, p) for path, parities in checked.items() for p in parities if not p.passed]
    if failed:
        path, parity = failed[0]
        raise ParityFailure(
            f"{path} differs from its network here: psnr {parity.measured_db} dB measured with "
            f"{parity.runner}, at least {parity.allowed_db} allowed; run `styleexport doctor`"
        )
    return checked


SECTION = "check"
COMMAND = verify
