"""`styleexport tflite`: export a network to TFLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, precision_option, run_export
from styleexport.cli._types import CONVERTER
from styleexport.core.types import Precision

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target


@click.command(
    short_help="Export a network to TFLite.",
    epilog="Examples: styleexport tflite  |  styleexport tflite --precision int8 --size 256  |  "
    "styleexport tflite --converter onnx2tf",
)
@export_options
@precision_option(
    "none, fp16 (weights), int8 (integer arithmetic), int8-a16 (16-bit activations, for NPUs) or "
    "int8-weights (ranges at run time)."
)
@click.option(
    "--converter",
    type=CONVERTER,
    default="litert-torch",
    metavar="NAME",
    help="litert-torch, or onnx2tf, which has an environment of its own.",
)
def tflite(precisions: tuple[Precision, ...], converter: str, **common: Unpack[Common]) -> Exported:
    """Export NETWORK (default: adain-residual) to TFLite in NHWC, checked against PyTorch.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.core.plugins import needs

    def target() -> Target:
        with needs("tflite"):
            from styleexport.exporter.targets.tflite import TfliteTarget
        return TfliteTarget(converter=converter)

    return run_export((target,), precisions, **common)


SECTION = "make"
COMMAND = tflite
