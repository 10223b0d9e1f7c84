"""`styleexport sensitivity`: what each layer loses in int8, and what it saves."""

from __future__ import annotations

from pathlib import Path

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, talk


@click.command(
    epilog="Example: styleexport sensitivity adain-cd16x --checkpoint e4.pth --checkpoint d4.pth "
    "--size 256 -o layers.png"
)
@click.argument("network", default="adain-lite")
@click.option("--checkpoint", "checkpoints", type=PATH, multiple=True, help="Weights; repeatable.")
@click.option("--role", help="encode, transform or stylize.  [default: the one that paints]")
@click.option("--size", default="256", show_default=True, metavar="HxW", help="Of the pictures.")
@click.option("--calibration", type=PATH, help="Folder of photographs.")
@click.option("-o", "--out", type=PATH, help="A PNG to plot into.")
@click.option("--trust", is_flag=True, help="Read a .pt2 that can run code.")
@json_option
def sensitivity(
    network: str,
    checkpoints: tuple[Path, ...],
    role: str | None,
    size: str,
    calibration: Path | None,
    out: Path | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Measure each layer of NETWORK (default: adain-lite) in int8, in ONNX Runtime.

    Every layer is computed in int8 alone, and all the others without it: what the picture loses by
    one, and what one saves.
    """
    from styleexport.cli._parse import parse_roles
    from styleexport.core.types import Size
    from styleexport.exporter.int8_export import sensitivity_of
    from styleexport.models.networks._open import open_network

    loaded = open_network(network, checkpoints, trusted=trust)
    wanted = (parse_roles((role,) if role else ()) or loaded.default_roles)[-1]
    found = sensitivity_of(loaded, wanted, Size.parse(size), calibration, talk)
    if out is not None:
        from styleexport.exporter.search.sensitivity import plot

        plot(found, f"{loaded.network.name} {wanted} {size}", out)
        talk(f"plot: {out}")
    if as_json:
        print_json(found)
        return
    click.echo(f"all in int8: {found.all_db:.1f} dB, {found.time_share:.0%} of float32's time")
    print_table(
        ("layer", "MMAC", "alone", "without it", "time saved"),
        [
            (
                row.layer,
                f"{row.macs / 1e6:.0f}",
                f"{row.alone_db:.1f} dB",
                f"{row.without_db - found.all_db:+.2f} dB",
                f"{row.saved_share:+.1%}",
            )
            for row in found.layers
        ],
    )
    for layer, reason in found.float_layers.items():
        talk(f"{layer} stays in float: {reason}")


COMMAND = sensitivity
