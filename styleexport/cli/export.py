"""`styleexport export`: a network becomes one artifact for several targets."""

from __future__ import annotations

from typing import Unpack

import click

from styleexport.cli._export import Common, export_options, quantize_option, run_export


@click.command(
    epilog="Example: styleexport export adain-lite --target onnx --target coreml --target tflite"
)
@export_options
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="TARGET",
    help="onnx, coreml or tflite; repeatable.  [default: all]",
)
@quantize_option("Each target writes those it has, one at least.  [default: each target's own]")
@click.option("--skip-missing", is_flag=True, help="Go on without targets that are not installed.")
def export(
    targets: tuple[str, ...],
    precisions: tuple[str, ...],
    skip_missing: bool,
    **common: Unpack[Common],
) -> None:
    """Export NETWORK (default: adain-lite) to several targets from one capture.

    NETWORK is a name from `styleexport networks`, package.module:factory, or a .pt2 or .onnx file.
    """
    from styleexport.core import plugins
    from styleexport.exporter.targets._target import PACKAGE

    wanted = tuple(dict.fromkeys(targets)) or plugins.names(PACKAGE)
    run_export(wanted, precisions, skip_missing=skip_missing, **common)


COMMAND = export
