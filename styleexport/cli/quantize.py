"""`styleexport quantize`: an ONNX file from elsewhere becomes a verified int8 artifact."""

from __future__ import annotations

from typing import Unpack

import click

from styleexport.cli._export import Common, export_options, quantize_option, run_export


@click.command(
    epilog="Examples: styleexport quantize candy.onnx --calibration photos  |  styleexport "
    "quantize transfer.onnx --checkpoint encode.onnx --quantize auto --size 256"
)
@export_options
@quantize_option("int8 (integer arithmetic), or any that the target has.  [default: int8]")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="TARGET",
    help="onnx, coreml or tflite; repeatable.  [default: onnx]",
)
@click.option(
    "--pixel-range",
    metavar="RANGE",
    help="Of the file's pictures: 0..1, 0..255 or -1..1.  [default: told by its output]",
)
@click.option("--content", metavar="NAME", help="Its input that is the photograph.")
@click.option("--style", metavar="NAME", help="Its input that is the picture of the style.")
def quantize(
    precisions: tuple[str, ...],
    targets: tuple[str, ...],
    pixel_range: str | None,
    content: str | None,
    style: str | None,
    **common: Unpack[Common],
) -> None:
    """Quantize NETWORK, a float32 .onnx file, as if it had come from PyTorch.

    A file that takes a style code needs the .onnx file that makes it: --checkpoint ENCODE.onnx. A
    file of one fixed size is written at that size. Every export command takes .onnx files too, with
    settings behind a comma: styleexport tflite candy.onnx,pixel-range=0..255
    """
    from styleexport.core.errors import UsageError

    network = common["network"]
    if ".onnx" not in network:
        raise UsageError(
            f"quantize takes a .onnx file, got {network!r}; for a network in PyTorch type "
            f"styleexport onnx {network} --quantize int8"
        )
    settings = {"pixel-range": pixel_range, "content": content, "style": style}
    named = [f"{name}={value}" for name, value in settings.items() if value is not None]
    common["network"] = ",".join([network, *named])
    run_export(tuple(dict.fromkeys(targets)) or ("onnx",), precisions or ("int8",), **common)


COMMAND = quantize
