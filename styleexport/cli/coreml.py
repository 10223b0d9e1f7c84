"""`styleexport coreml`: a network becomes a verified Core ML artifact, on any machine."""

from __future__ import annotations

from typing import Unpack

import click

from styleexport.cli._export import Common, export_options, quantize_option, run_export
from styleexport.core.types import Sizing


@click.command(
    epilog="Examples: styleexport coreml  |  styleexport coreml --quantize palette6 --ios 17  |  "
    "styleexport coreml --enumerated --size 256 --size 384x512"
)
@export_options
@quantize_option(
    "int8 (W8A8), auto, or int8-weights, palette8, palette6, palette4: smaller, not faster."
)
@click.option(
    "--precision",
    default="fp16",
    show_default=True,
    metavar="PRECISION",
    help="fp16, or fp32 (leaves the Neural Engine).",
)
@click.option(
    "--ios", type=int, help="Oldest iOS to load it: 16, 17 or 18.  [default: 16; int8: 17]"
)
@click.option("--tensors", is_flag=True, help="Pictures as multi-arrays in 0..1, not as pixels.")
@click.option("--enumerated", is_flag=True, help="One file for all the sizes named.")
def coreml(
    precisions: tuple[str, ...],
    precision: str,
    ios: int | None,
    tensors: bool,
    enumerated: bool,
    **common: Unpack[Common],
) -> None:
    """Export NETWORK (default: adain-lite) to Core ML, checked against PyTorch without a Mac.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.cli._parse import parse_precision
    from styleexport.core.plugins import needs

    arithmetic = parse_precision(precision, "--precision fp16")
    with needs("coreml"):
        from styleexport.exporter.targets.coreml import CoremlTarget
    target = CoremlTarget(ios=ios, arithmetic=arithmetic, images=not tensors)
    sizing = Sizing.ENUMERATED if enumerated else Sizing.FIXED
    run_export((target,), precisions or (arithmetic,), sizing=sizing, **common)


COMMAND = coreml
