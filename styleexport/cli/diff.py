"""`styleexport diff`: numerical differences between two files of one artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, say, talk
from styleexport.cli._types import NUMBER, SIZE
from styleexport.core.errors import ParityFailure, UsageError

if TYPE_CHECKING:
    from styleexport.core.types import Size
    from styleexport.runtime_bench.diff.diff import Diff
    from styleexport.runtime_bench.diff.report import DiffReport, TensorDiff


@click.command(
    short_help="Compare the outputs of two files, layer by layer.",
    epilog="Example: styleexport diff artifact/adain-residual_transform_512x512_fp32.onnx "
    "artifact/adain-residual_transform_512x512_fp16.mlpackage --layers",
)
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option(
    "--layers", is_flag=True, help="Compare layer by layer, and name the first that differs."
)
@click.option(
    "--threshold-db",
    type=NUMBER,
    default=40.0,
    help="Layers differ below this PSNR in dB.",
)
@click.option("--size", type=SIZE, help="Probe size.  [default: the first that both files take]")
@click.option(
    "--fail-below", type=NUMBER, metavar="DB", help="Exit 3 if the PSNR of the output is below."
)
@click.option("-o", "--out", type=PATH, help="Write the heat map here.  [default: A-vs-B.png]")
@json_option
def diff(
    a: Path,
    b: Path,
    layers: bool,
    threshold_db: float,
    size: Size | None,
    fail_below: float | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare the outputs of A and B, two files of one artifact, on a probe.

    The files may differ in target and precision, but not in role. A is the reference. Where the
    output is a picture, a heat map of the differences is written.
    """
    from styleexport.core.images import check_picture_out
    from styleexport.runtime_bench.diff.diff import diff_files

    if out is not None:
        check_picture_out(out)
    result = diff_files(a, b, size=size, layers=layers, threshold_db=threshold_db)
    written = _write_heat_map(result, out)
    if as_json:
        print_json(result.report)
    else:
        _print(result.report)
    if written is not None:
        talk(f"heat map: {written}")
    measured = result.report.output.psnr_db
    if fail_below is not None and measured < fail_below:
        raise ParityFailure(
            f"{result.report.b} differs from {result.report.a}: psnr {measured} dB measured, at "
            f"least {fail_below:g} allowed; type --layers to see where they part"
        )


def _write_heat_map(result: Diff, out: Path | None) -> Path | None:
    """Write the heat map and return its path; None for style codes."""
    if not result.is_picture:
        if out is not None:
            raise UsageError(
                f"{result.report.a} returns a style code, of which there is no heat map: leave out "
                "-o"
            )
        return None
    from styleexport.core.images import write_image
    from styleexport.runtime_bench.diff.heat_map import heat_map

    report = result.report
    a, b = Path(report.a).name, Path(report.b).name
    path = out or Path(f"{a}-vs-{b.rsplit('_', 1)[-1]}.png")
    note = f"A and B: {_in_words(report.output)}"
    write_image(heat_map(result.output_a, result.output_b, f"A: {a}", f"B: {b}", note), path)
    return path


def _in_words(tensor: TensorDiff) -> str:
    """Return the largest difference of a tensor in words, and its position."""
    if tensor.worst is None and not any(tensor.not_finite):
        return "equal to the last bit"
    names = ("image", "channel", "row", "column") if len(tensor.shape) == 4 else ("row", "element")
    places = zip(names, tensor.worst or (), strict=False) if len(names) == len(tensor.shape) else ()
    where = ", ".join(f"{name} {index}" for name, index in places if name != "image")
    words = f"{tensor.psnr_db:.1f} dB, largest difference {tensor.max_abs_error:g}"
    if any(tensor.not_finite):
        words += f", {tensor.not_finite[0]} of A's and {tensor.not_finite[1]} of B's not finite"
    return f"{words} at {where}" if where else words


def _print(report: DiffReport) -> None:
    say(f"A {report.a} ({report.runners[0]})")
    say(f"B {report.b} ({report.runners[1]})")
    say(f"probe {report.size.size()}")
    say(f"{report.output.name}: {_in_words(report.output)}")
    if not report.layers:
        return
    if report.first is None:
        say(f"no layer of {len(report.layers)} is below {report.threshold_db:g} dB")
    else:
        say(
            f"first layer below {report.threshold_db:g} dB: {report.first.name}, "
            f"{_in_words(report.first)}"
        )
    if report.before is not None:
        say(f"  the layer before, {report.before.name}: {_in_words(report.before)}")
    say(f"{len(report.layers)} layers compared, {report.left_out} not held by both; worst:")
    print_table(
        ("layer", "psnr", "largest difference", "shape"),
        [
            (
                f"{x.name}{' (gains undone)' if x.scaled else ''}",
                f"{x.psnr_db:.1f} dB",
                f"{x.max_abs_error:g}",
                "x".join(map(str, x.shape)),
            )
            for x in report.worst_layers()
        ],
    )


SECTION = "check"
COMMAND = diff
