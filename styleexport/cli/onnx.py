"""`styleexport onnx`: export a network to ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, precision_option, run_export
from styleexport.core.types import Precision, Sizing

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target
    from styleexport.exporter.targets.onnx import Runtime


@click.command(
    short_help="Export a network to ONNX.",
    epilog="Examples: styleexport onnx --precision int8  |  styleexport onnx adain-cd16x "
    "--checkpoint e4.pth --checkpoint d4.pth --size 256 --size 384x512",
)
@export_options
@precision_option(
    "none, fp16, int8 (integer arithmetic), auto (int8 inside --budget), int8-a16 (16-bit "
    "activations, for NPUs) or int8-weights."
)
@click.option("--dynamic", is_flag=True, help="Write one file for any size, proven at several.")
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "openvino"]),
    default="onnxruntime",
    help="Runtime that int8 files are for. OpenVINO gives floats from integer convolutions: less "
    "is rounded, and ONNX Runtime computes such files in float.",
)
def onnx(
    precisions: tuple[Precision, ...],
    dynamic: bool,
    runtime: Runtime,
    **common: Unpack[Common],
) -> Exported:
    """Export NETWORK (default: adain-residual) to ONNX, checked against PyTorch.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """

    def target() -> Target:
        from styleexport.exporter.targets.onnx import OnnxTarget

        return OnnxTarget(runtime=runtime)

    sizing = Sizing.ANY if dynamic else Sizing.FIXED
    return run_export((target,), precisions, sizing=sizing, **common)


SECTION = "make"
COMMAND = onnx
