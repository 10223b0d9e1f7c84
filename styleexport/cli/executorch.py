"""`styleexport executorch`: export a network to ExecuTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, quantize_option, run_export
from styleexport.core.types import Precision

if TYPE_CHECKING:
    from styleexport.exporter.targets._target import Target
    from styleexport.exporter.targets.executorch.lower import Delegate


@click.command(
    short_help="Export a network to ExecuTorch.",
    epilog="Examples: styleexport executorch  |  styleexport executorch --quantize int8 --size 256"
    "  |  styleexport executorch fast-style --checkpoint candy.pth --size 640",
)
@export_options
@quantize_option("none, or int8 (integer arithmetic in XNNPACK).")
@click.option(
    "--delegate",
    type=click.Choice(["xnnpack", "coreml"]),
    default="xnnpack",
    show_default=True,
    help="Library that computes the graph: xnnpack on any CPU, coreml on Apple's devices alone.",
)
def executorch(
    precisions: tuple[Precision, ...], delegate: Delegate, **common: Unpack[Common]
) -> None:
    """Export NETWORK (default: adain-residual) to ExecuTorch, checked against PyTorch.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.core.plugins import needs

    def target() -> Target:
        with needs("executorch"):
            from styleexport.exporter.targets.executorch import ExecutorchTarget
        return ExecutorchTarget(delegate=delegate)

    run_export((target,), precisions, **common)


SECTION = "make"
COMMAND = executorch
