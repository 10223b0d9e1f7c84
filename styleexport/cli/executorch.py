"""`styleexport executorch`: export a network to ExecuTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, precision_option, run_export
from styleexport.core.types import Precision

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target


@click.command(
    short_help="Export a network to ExecuTorch.",
    epilog="Examples: styleexport executorch  |  styleexport executorch --precision int8 --size 256"
    "  |  styleexport executorch fast-style --checkpoint candy.pth --size 640  |  styleexport "
    "executorch --delegate coreml",
)
@export_options
@precision_option(
    "none, or int8 (integer arithmetic in XNNPACK), or fp16 (with --delegate coreml).  [default: "
    "none; --delegate coreml: fp16]"
)
@click.option(
    "--delegate",
    type=click.Choice(["xnnpack", "coreml"]),
    default="xnnpack",
    show_default=True,
    help="Compute by XNNPACK on every CPU, or by Core ML on Apple devices; that is proven by the "
    "reference interpreter and not run in ExecuTorch.",
)
def executorch(
    precisions: tuple[Precision, ...], delegate: str, **common: Unpack[Common]
) -> Exported:
    """Export NETWORK (default: adain-residual) to ExecuTorch, checked against PyTorch.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """

    def target() -> Target:
        from styleexport.exporter.targets.executorch import Delegate, ExecutorchTarget

        return ExecutorchTarget(Delegate(delegate))

    return run_export((target,), precisions, **common)


SECTION = "make"
COMMAND = executorch
