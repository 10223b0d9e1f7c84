"""`styleexport export`: export a network to several targets at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, precision_option, run_export
from styleexport.cli._types import TARGET, TARGETS
from styleexport.core.types import Precision

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported


@click.command(
    short_help="Export a network to several targets.",
    epilog="Example: styleexport export adain-residual --target onnx --target coreml "
    "--target executorch",
)
@export_options
@click.option(
    "--target",
    "targets",
    type=TARGET,
    multiple=True,
    help="onnx, coreai, coreml, tflite or executorch; repeatable.  [default: all]",
)
@precision_option(
    "Precisions to write; each target skips those it lacks.  [default: each target's own]"
)
@click.option(
    "--skip-missing", is_flag=True, help="Skip targets whose libraries are not installed."
)
def export(
    targets: tuple[str, ...],
    precisions: tuple[Precision, ...],
    skip_missing: bool,
    **common: Unpack[Common],
) -> Exported:
    """Export NETWORK (default: adain-residual) to several targets from one capture.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.core import plugins

    every = tuple(dict.fromkeys(targets)) or plugins.names(TARGETS)
    return run_export(every, precisions, skip_missing=skip_missing, **common)


SECTION = "make"
COMMAND = export
