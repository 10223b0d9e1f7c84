"""`styleexport coreml`: export a network to Core ML, on any machine."""

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
from styleexport.core.errors import UsageError
from styleexport.core.types import Precision, Sizing

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target

IOS_VERSIONS = (16, 17, 18)


def _check_ios(
    _context: click.Context, _parameter: click.Parameter, value: int | None
) -> int | None:
    if value is not None and value not in IOS_VERSIONS:
        raise UsageError(f"iOS {value}: expected 16, 17 or 18; type --ios 16")
    return value


@click.command(
    short_help="Export a network to Core ML.",
    epilog="Examples: styleexport coreml  |  styleexport coreml --precision palette6 --ios 17  |  "
    "styleexport coreml --enumerated --size 256 --size 384x512",
)
@export_options
@precision_option(
    "fp16, fp32 (which the Neural Engine does not run), int8 (W8A8), auto, palette4-int8 (weights "
    "of 4 bits, iOS 18), or int8-weights, palette8, palette6, palette4: smaller, not faster.  "
    "[default: fp16]"
)
@arithmetic_option
@click.option(
    "--ios",
    type=int,
    callback=_check_ios,
    help="Oldest iOS that loads it: 16, 17 or 18.  [default: 16; int8: 17]",
)
@click.option(
    "--tensors", is_flag=True, help="Take pictures as multi-arrays in 0..1, not as pixels."
)
@click.option("--enumerated", is_flag=True, help="Write one file that takes every --size.")
def coreml(
    precisions: tuple[Precision, ...],
    arithmetic: Precision | None,
    ios: int | None,
    tensors: bool,
    enumerated: bool,
    **common: Unpack[Common],
) -> Exported:
    """Export NETWORK (default: adain-residual) to Core ML, checked against PyTorch without a Mac.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.core.plugins import needs

    floats = arithmetic_of(precisions, arithmetic)

    def target() -> Target:
        with needs("coreml"):
            from styleexport.exporter.targets.coreml import CoremlTarget
        return CoremlTarget(ios=ios, arithmetic=floats, images=not tensors)

    sizing = Sizing.ENUMERATED if enumerated else Sizing.FIXED
    return run_export((target,), precisions or (floats,), sizing=sizing, **common)


SECTION = "make"
COMMAND = coreml
