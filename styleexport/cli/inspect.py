"""`styleexport inspect`: the contents of an artifact or of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, human_bytes, json_option, print_json, print_table, say

if TYPE_CHECKING:
    from styleexport.core.manifest import ExecutionFact, Manifest
    from styleexport.runtime_bench.formats._format import Description


@click.command(
    short_help="Show the contents of an artifact or a file.",
    epilog="Examples: styleexport inspect adain-residual-onnx-int8  |  styleexport inspect x.onnx",
)
@click.argument("path", type=PATH)
@json_option
def inspect(path: Path, as_json: bool) -> None:
    """Show what PATH, an artifact folder or an exported file, contains, and where it may fail."""
    from msgspec import to_builtins

    from styleexport.core.manifest import FILE_NAME, read_manifest
    from styleexport.runtime_bench.formats._format import describe

    # Some file systems ignore case, and a Core ML package has a Manifest.json.
    entries = {entry.name for entry in path.iterdir()} if path.is_dir() else set[str]()
    if path.is_file() or (path.suffix and FILE_NAME not in entries):
        description = describe(path)
        execution, failure = _execution(path)
        if as_json:
            print_json({**to_builtins(description), "execution": to_builtins(execution)})
            return
        _print_description(path, description)
        if failure:
            say(f"not run: {failure}")
        elif execution is not None:
            _print_execution(execution)
        return
    manifest = read_manifest(path)
    if as_json:
        print_json(manifest)
        return
    _print_manifest(manifest)


def _print_description(path: Path, facts: Description) -> None:
    say(f"{path}: {facts.format}, {facts.version}, {human_bytes(facts.size_bytes)}")
    for key, text in facts.about.items():
        say(f"  {key}: {text}")
    for value in facts.inputs:
        say(f"  input {value}")
    for value in facts.outputs:
        say(f"  output {value}")
    say(f"  {facts.macs / 1e9:.2f} GMAC, {facts.int8_mac_share:.0%} of them in int8")
    if facts.peak_activation_bytes is not None:
        say(f"  activations take {human_bytes(facts.peak_activation_bytes)} at their peak")
    print_table(("operation", "count"), [(op, str(n)) for op, n in facts.ops.items()])
    print_table(("stored as", "bytes"), [(d, str(n)) for d, n in facts.bytes_by_dtype.items()])
    for risk in facts.risks:
        say(f"risk: {risk.where}: {risk.reason}; {risk.remedy}")


def _execution(path: Path) -> tuple[ExecutionFact | None, str]:
    """Return what the runtime executes of a file and "", or None and why that is not known."""
    from styleexport.core.errors import BadArtifact, MissingExtra
    from styleexport.runtime_bench.execution import describe_execution

    try:
        return describe_execution(path), ""
    except (BadArtifact, MissingExtra) as error:
        return None, str(error)


def _print_execution(fact: ExecutionFact) -> None:
    """Print how much a runtime computes in integers, and the convolutions that stay in float."""
    floats = [item for item in fact.convolutions if not item.integer]
    whole = len(fact.convolutions)
    say(
        f"{fact.runtime} computes {whole - len(floats)} of {whole} convolutions in integers, "
        f"{fact.integer_mac_share:.0%} of the multiply-accumulates"
    )
    say(
        f"  quantized {fact.quantizes} times, dequantized {fact.dequantizes} times, "
        f"{fact.float_round_trips} of them to and fro only; {fact.transposes} maps transposed"
    )
    if fact.integer_mac_share:
        for item in floats:
            say(f"  in float: {item.layer}, {item.macs / 1e6:.1f} MMAC")


def _print_manifest(manifest: Manifest) -> None:
    network = manifest.network
    say(f"{network.name}: {network.summary}")
    say(f"  paper    {network.paper}")
    say(f"  licence  {network.licence}")
    say(f"  weights  {', '.join(network.source)} (sha256 {network.source_sha256[:12]}…)")
    if network.pixels is not None:
        say(f"  network  {network.pixels.summary}; files take and give RGB in 0..1")
    if network.code_layout is not None:
        layout = network.code_layout
        say(f"  code     {layout.length} values: {layout}")
    print_table(
        ("file", "bytes", "GMAC", "int8 MACs", "parity"),
        [
            (
                fact.path,
                human_bytes(fact.size_bytes),
                f"{fact.macs / 1e9:.2f}",
                f"{fact.int8_mac_share:.0%}",
                f"{fact.worst.measured_db:.1f} dB",
            )
            for fact in manifest.files
        ],
    )
    for fact in manifest.files:
        say(f"{fact.path}")
        for value in (*fact.inputs, *fact.outputs):
            shape = "x".join(map(str, value.shape))
            pixels = f", {value.colour_order} in {value.pixel_range}" if value.pixel_range else ""
            say(f"  {value.name}: {value.layout} {shape} {value.dtype}{pixels}")
        for item in fact.passes:
            reasons = f"; refused: {'; '.join(item.refused)}" if item.refused else ""
            say(f"  pass {item.name}: applied {item.applied}{reasons}")
        if fact.quantization is not None:
            for island in fact.quantization.float_islands:
                say(f"  float: {', '.join(island.ops)} ({island.reason})")
        for risk in fact.risks:
            say(f"  risk: {risk.where}: {risk.reason}; {risk.remedy}")
    for tiling in manifest.tilings:
        say(
            f"{tiling.target} {tiling.precision}: any size in tiles, {len(tiling.passes)} passes "
            f"over windows of {tiling.window.size()} on a grid of {tiling.grid} pixels; "
            f"{tiling.tiled_db:.1f} dB of the whole picture in PyTorch"
        )
    for pack in manifest.styles:
        say(f"{pack.path}: {', '.join(pack.names)}")
    say("made with " + ", ".join(f"{k} {v}" for k, v in manifest.tools.items()))


SECTION = "check"
COMMAND = inspect
