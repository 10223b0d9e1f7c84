"""`styleexport coreai`: export a network to Core AI, on Linux or macOS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import (
    Common,
    arithmetic_of,
    arithmetic_option,
    export_options,
    precision_option,
    run_export,
)
from styleexport.core.types import Precision, Sizing

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target


@click.command(
    short_help="Export a network to Core AI.",
    epilog="Examples: styleexport coreai  |  styleexport coreai --precision int8 --size 256  |  "
    "styleexport coreai --enumerated --size 256 --size 384x512",
)
@export_options
@precision_option(
    "fp16, fp32, int8 (W8A8), auto, palette4-int8 (weights of 4 bits), or int8-weights, palette8, "
    "palette6, palette4: smaller, not faster.  [default: fp16]"
)
@arithmetic_option
@click.option("--enumerated", is_flag=True, help="Write one file with a function for every --size.")
def coreai(
    precisions: tuple[Precision, ...],
    arithmetic: Precision | None,
    enumerated: bool,
    **common: Unpack[Common],
) -> Exported:
    """Export NETWORK (default: adain-residual) to Core AI (iOS 27), checked in its runtime.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.core.plugins import needs

    floats = arithmetic_of(precisions, arithmetic)

    def target() -> Target:
        with needs("coreai"):
            from styleexport.exporter.targets.coreai import CoreaiTarget
        return CoreaiTarget(arithmetic=floats)

    sizing = Sizing.ENUMERATED if enumerated else Sizing.FIXED
    return run_export((target,), precisions or (floats,), sizing=sizing, **common)


SECTION = "make"
COMMAND = coreai
