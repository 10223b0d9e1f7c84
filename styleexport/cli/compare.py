"""`styleexport compare`: the quality of files against the float network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, say, talk
from styleexport.cli._types import BUDGET, ROLE, SIZE, WEIGHTS
from styleexport.core.errors import QualityBudgetExceeded, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from styleexport.core.types import Role, Size
    from styleexport.runtime_bench.quality.budget import Budget
    from styleexport.runtime_bench.quality.compare import Compared, JudgeSettings, QualityComparison


@click.command(
    short_help="Measure the quality of files against the float network.",
    epilog="Example: styleexport compare adain-residual-onnx-int8 --budget 'psnr>=38, style<=+5%' "
    "-o report.html",
)
@click.argument("names", nargs=-1, required=True, metavar="ARTIFACT [REFERENCE] [CANDIDATE]")
@click.option("--target", help="Compare files of this target only.")
@click.option("--role", type=ROLE, help="Compare files of this role only.")
@click.option("--size", type=SIZE, help="Size of the pictures.  [default: every size of the files]")
@click.option(
    "--budget", type=BUDGET, help="Exit 3 if a file misses these limits: 'psnr>=38, style<=+5%'."
)
@click.option(
    "--loss-weights",
    type=WEIGHTS,
    metavar="VGG16",
    help="ImageNet VGG-16 weights; measure style in its features.",
)
@click.option(
    "--lpips-heads", type=WEIGHTS, help="LPIPS heads for VGG-16; LPIPS is left out without them."
)
@click.option("-o", "--out", type=PATH, help="Write the pictures side by side as one HTML file.")
@click.option("--png", type=PATH, help="Write the worst file's pictures side by side as one image.")
@json_option
def compare(
    names: tuple[str, ...],
    target: str | None,
    role: Role | None,
    size: Size | None,
    budget: Budget | None,
    loss_weights: Path | None,
    lpips_heads: Path | None,
    out: Path | None,
    png: Path | None,
    as_json: bool,
) -> tuple[Compared, ...]:
    """Compare files with the float network on fixed probes: PSNR, SSIM, style and flicker.

    Style is a distance to the style picture, and the gain beyond colour: the share of it that a
    painting saves over the photograph with the style's colours.

    With ARTIFACT alone, every file of it is compared. REFERENCE and CANDIDATE are paths or
    precisions (float, fp32, int8 …); they may belong to two artifacts, such as those of a network
    before and after pruning.
    """
    from styleexport.runtime_bench.quality.pairs import FileFilter, pairs_of

    _check_outputs(out, png)
    pairs = pairs_of(names, FileFilter(size=size, role=role, target=target))
    settings = _settings(budget, loss_weights, lpips_heads)

    from styleexport.runtime_bench.quality.compare import compare as judge

    compared = judge(pairs, settings, progress=talk)
    _write(compared, out, png)
    comparisons = [item.comparison for item in compared]
    print_json(comparisons) if as_json else _print(comparisons)
    _check_budgets(comparisons)
    return compared


def _check_outputs(out: Path | None, png: Path | None) -> None:
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out} is no web page: type for example -o {out.with_suffix('.html')}")
    if out is not None:
        from styleexport.core.files import check_replaceable
        from styleexport.runtime_bench.report.templates import PAGE

        check_replaceable(out, PAGE)
    if png is not None:
        from styleexport.core.images import check_picture_out

        check_picture_out(png)


def _settings(
    budget: Budget | None, loss_weights: Path | None, lpips_heads: Path | None
) -> JudgeSettings:
    from styleexport.models.losses.loss_network import (
        read_lpips,
        shipped_loss_network,
        vgg16_loss_network,
    )
    from styleexport.runtime_bench.quality.compare import JudgeSettings

    if loss_weights is None:
        if lpips_heads is not None:
            raise UsageError("--lpips-heads needs VGG-16 too: add --loss-weights VGG16")
        return JudgeSettings(shipped_loss_network(), budget=budget)
    lpips = read_lpips(loss_weights, lpips_heads) if lpips_heads is not None else None
    return JudgeSettings(vgg16_loss_network(loss_weights), lpips, budget)


def _write(compared: Sequence[Compared], out: Path | None, png: Path | None) -> None:
    from styleexport.core.files import replace_file
    from styleexport.core.images import write_image
    from styleexport.runtime_bench.quality.contact_sheet import sheet
    from styleexport.runtime_bench.quality.page import page
    from styleexport.runtime_bench.report.templates import PAGE

    if out is not None:
        with replace_file(out, PAGE) as part:
            part.write_text(page(compared), encoding="utf-8")
        talk(f"side by side: {out}")
    if png is not None:
        worst = min(compared, key=lambda item: item.comparison.quality.psnr_db)
        write_image(sheet(worst), png)
        talk(f"side by side of {worst.comparison.candidate}: {png}")


def _print(comparisons: Sequence[QualityComparison]) -> None:
    from styleexport.runtime_bench.quality.columns import HEADER, cells, gain_cell

    quality = comparisons[0].quality
    for name, item in {item.reference: item for item in comparisons}.items():
        gains = [gain.reference for gain in item.quality.gain_beyond_colour]
        beyond = f", gain beyond colour {gain_cell(gains)}" if gains else ""
        say(f"reference {name}{beyond}")
    say(f"{len(quality.pictures)} pictures a file; loss network: {quality.loss_network}")
    print_table(("file", *HEADER), [(item.candidate, *cells(item)) for item in comparisons])


def _check_budgets(comparisons: Sequence[QualityComparison]) -> None:
    failed = [item for item in comparisons if item.failures]
    if failed:
        others = f"; so are {len(failed) - 1} more" if len(failed) > 1 else ""
        reasons = ", ".join(failed[0].failures)
        raise QualityBudgetExceeded(
            f"{failed[0].candidate} is outside the budget: {reasons}{others}; export with "
            "--precision fp16, or allow more with --budget"
        )


SECTION = "check"
COMMAND = compare
