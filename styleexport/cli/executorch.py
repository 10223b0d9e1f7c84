"""`styleexport executorch`: export a network to ExecuTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, precision_option, run_export
from styleexport.core.types import Precision

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported


@click.command(
    short_help="Export a network to ExecuTorch.",
    epilog="Examples: styleexport executorch  |  styleexport executorch --precision int8 --size 256"
    "  |  styleexport executorch fast-style --checkpoint candy.pth --size 640",
)
@export_options
@precision_option("none, or int8 (integer arithmetic in XNNPACK).")
def executorch(precisions: tuple[Precision, ...], **common: Unpack[Common]) -> Exported:
    """Export NETWORK (default: adain-residual) to ExecuTorch, checked against PyTorch.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    return run_export(("executorch",), precisions, **common)


SECTION = "make"
COMMAND = executorch
