"""`styleexport onnx`: a network becomes a verified ONNX artifact."""

from __future__ import annotations

from pathlib import Path

import click

from styleexport.cli._common import PATH, human_bytes, json_option, print_json, print_table, talk


@click.command(
    epilog="Examples: styleexport onnx --quantize int8  |  styleexport onnx adain-cd16x "
    "--checkpoint e4.pth --checkpoint d4.pth --size 256 --size 384x512"
)
@click.argument("network", default="adain-lite")
@click.option(
    "--checkpoint",
    "checkpoints",
    type=PATH,
    multiple=True,
    help="Weights; repeat it where the network takes two files.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="encode, transform or stylize; repeatable.  [default: all that are needed]",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="HxW",
    help="Height x width in pixels, or one number; repeatable.  [default: 512]",
)
@click.option(
    "--quantize",
    default="none",
    show_default=True,
    metavar="PRECISION",
    help="none, fp16, int8 (integer arithmetic) or int8-weights (smaller, not faster).",
)
@click.option(
    "--calibration",
    type=PATH,
    help="Folder of photographs for int8, or one with content/ and style/ inside.",
)
@click.option("--dynamic", is_flag=True, help="One file for any size, proven at four sizes.")
@click.option("-o", "--out", type=PATH, help="Artifact folder.  [default: NETWORK-onnx-PRECISION]")
@click.option("--overwrite", is_flag=True, help="Replace a folder that holds other files too.")
@click.option("--trust", is_flag=True, help="Read a .pt2 that can run code.")
@json_option
def onnx(
    network: str, checkpoints: tuple[Path, ...], roles: tuple[str, ...], sizes: tuple[str, ...],
    quantize: str, calibration: Path | None, dynamic: bool, out: Path | None, overwrite: bool,
    trust: bool, as_json: bool,
) -> None:  # fmt: skip
    """Export NETWORK (default: adain-lite) to ONNX, checked against PyTorch.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 file.
    """
    from styleexport.cli._parse import parse_precision, parse_roles, parse_sizes

    precision, wanted, shapes = parse_precision(quantize), parse_roles(roles), parse_sizes(sizes)
    from styleexport.exporter.pipeline import ExportRequest, export
    from styleexport.models.registry import open_network

    loaded = open_network(network, checkpoints, trusted=trust)
    folder = out or Path(f"{loaded.network.name}-onnx-{precision}")
    manifest = export(
        ExportRequest(
            network=loaded, out=folder, precision=precision, roles=wanted,
            sizes=shapes or loaded.default_sizes, dynamic=dynamic, calibration=calibration,
            overwrite=overwrite,
        ),
        talk,
    )  # fmt: skip
    if as_json:
        print_json(manifest)
        return
    print_table(
        ("file", "size", "int8 MACs", "parity"),
        [
            (
                file.path,
                human_bytes(file.size_bytes),
                f"{file.int8_mac_share:.0%}",
                f"{file.parity.measured_db:.1f} dB (at least {file.parity.allowed_db:g})"
                if file.parity
                else "-",
            )
            for file in manifest.files
        ],
    )
    click.echo(f"artifact: {folder}")


COMMAND = onnx
