"""`styleexport sensitivity`: quality loss and time saved of each layer in int8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import (
    PATH,
    json_option,
    print_json,
    print_table,
    say,
    talk,
    weights_key_option,
)
from styleexport.cli._levels import levels_option
from styleexport.cli._pixels import pixel_options
from styleexport.cli._types import FOLDER, NETWORK, ROLE, SIZE, WEIGHTS
from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.types import Role, Size

if TYPE_CHECKING:
    from styleexport.exporter.search.sensitivity import Sensitivity
    from styleexport.models.network_spec import NetworkSpec


@click.command(
    short_help="Measure the effect of int8 on each layer.",
    epilog="Example: styleexport sensitivity adain-cd16x --checkpoint e4.pth --checkpoint d4.pth "
    "--size 256 -o layers.png",
)
@click.argument("network", type=NETWORK, default=DEFAULT_NETWORK)
@click.option(
    "--checkpoint", "checkpoints", type=WEIGHTS, multiple=True, help="Weights; repeatable."
)
@weights_key_option
@levels_option
@click.option(
    "--role", type=ROLE, help="encode, transform or stylize.  [default: the one that paints]"
)
@click.option("--size", type=SIZE, default="256", help="Size of the pictures in pixels.")
@click.option("--calibration", type=FOLDER, help="Folder of photographs for the ranges.")
@click.option("-o", "--out", type=PATH, help="Write a plot to this PNG file.")
@pixel_options
@click.option("--trust", is_flag=True, help="Load a .pt2 that could run code.")
@json_option
def sensitivity(
    network: NetworkSpec,
    checkpoints: tuple[Path, ...],
    role: Role | None,
    size: Size,
    calibration: Path | None,
    out: Path | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Measure what int8 costs each layer of NETWORK (default: adain-residual) in ONNX Runtime.

    Each layer is quantized alone, and then left in float while all others are quantized: the
    quality that it costs, and the time that it saves.
    """
    from styleexport.core.images import check_picture_out
    from styleexport.exporter.int8_export import sensitivity_of
    from styleexport.models.networks._open import open_network

    if out is not None:
        check_picture_out(out)
    loaded = open_network(network, checkpoints, trusted=trust)
    role = role or loaded.default_roles[-1]
    result = sensitivity_of(loaded, role, size, calibration, talk)
    if out is not None:
        from styleexport.exporter.search.sensitivity import plot

        plot(result, f"{loaded.network.name} {role} {size}", out)
        talk(f"plot: {out}")
    print_json(result) if as_json else _print(result)


def _print(result: Sensitivity) -> None:
    say(f"all in int8: {result.all_db:.1f} dB, {result.time_share:.0%} of float32's time")
    print_table(
        ("layer", "MMAC", "alone", "without it", "time saved"),
        [
            (
                row.layer,
                f"{row.macs / 1e6:.0f}",
                f"{row.alone_db:.1f} dB",
                f"{row.without_db - result.all_db:+.2f} dB",
                f"{row.saved_share:+.1%}",
            )
            for row in result.layers
        ],
    )
    for layer, reason in result.float_layers.items():
        talk(f"{layer} stays in float: {reason}")


SECTION = "measure"
COMMAND = sensitivity
