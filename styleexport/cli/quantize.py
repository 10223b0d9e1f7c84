"""`styleexport quantize`: quantize an ONNX file that another tool wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._export import Common, export_options, precision_option, run_export
from styleexport.core.types import Precision

if TYPE_CHECKING:
    from styleexport.exporter.pipeline import Exported


@click.command(
    short_help="Quantize an ONNX file that another tool wrote.",
    epilog="Examples: styleexport quantize candy.onnx --calibration photos  |  styleexport "
    "quantize transfer.onnx --checkpoint encode.onnx --precision auto --size 256",
)
@export_options
@precision_option("int8 (integer arithmetic), or any precision of the target.  [default: int8]")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="TARGET",
    help="onnx, coreai, coreml, tflite or executorch; repeatable.  [default: onnx]",
)
@click.option("--pixel-range", metavar="RANGE", help="The same as --pixels.")
@click.option("--content", metavar="NAME", help="Name of the input that takes the photograph.")
@click.option("--style", metavar="NAME", help="Name of the input that takes the style picture.")
@click.option(
    "--styles", metavar="NAME", help="Name of an input that weighs styles of the file's own."
)
def quantize(
    precisions: tuple[Precision, ...],
    targets: tuple[str, ...],
    pixel_range: str | None,
    content: str | None,
    style: str | None,
    styles: str | None,
    **common: Unpack[Common],
) -> Exported:
    """Quantize NETWORK, a float32 .onnx file, as if it had come from PyTorch.

    A file that takes a style code also needs the encoder's .onnx file: --checkpoint ENCODE.onnx. A
    file with a fixed size is written at that size. The other export commands take .onnx files too,
    with settings after a comma: styleexport tflite candy.onnx,content=input
    """
    from styleexport.core.errors import UsageError
    from styleexport.models.network_spec import NetworkSource

    spec = common["network"]
    if spec.source is not NetworkSource.ONNX:
        raise UsageError(
            f"quantize takes a .onnx file, got {str(spec)!r}; for a network in PyTorch type "
            f"styleexport onnx {spec} --precision int8"
        )
    named = {"content": content, "style": style, "styles": styles}
    spec = replace(spec, **{name: value for name, value in named.items() if value is not None})
    if pixel_range is not None:
        declared = spec.declared.saying("pixels", pixel_range, "--pixel-range: ")
        spec = replace(spec, declared=declared)
    common["network"] = spec
    return run_export(
        tuple(dict.fromkeys(targets)) or ("onnx",), precisions or (Precision.INT8,), **common
    )


SECTION = "make"
COMMAND = quantize
