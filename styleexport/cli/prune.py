"""`styleexport prune`: a network loses the channels that it can do without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import (
    PATH,
    json_option,
    print_json,
    print_table,
    talk,
)

if TYPE_CHECKING:
    from styleexport.models.compress.prune.iterative import Retraining
    from styleexport.models.compress.prune.report import PruneReport
    from styleexport.models.compress.prune.sensitivity import Sensitivity


@click.command(
    epilog="Example: styleexport prune adain-cd16x --checkpoint e4.pth --checkpoint d4.pth "
    "--method zero-channel -o slim"
)
@click.argument("network", default="adain-lite")
@click.option("--checkpoint", "checkpoints", type=PATH, multiple=True, help="Weights; repeatable.")
@click.option(
    "--method",
    type=click.Choice(["zero-channel", "symmetric-l2"]),
    default="zero-channel",
    show_default=True,
    help="zero-channel removes channels that are always empty, exactly; symmetric-l2 cuts an "
    "encoder and its mirrored decoder to --layout, by --ratio or --budget, to be trained on.",
)
@click.option(
    "--layout",
    metavar="WIDTHS",
    help="symmetric-l2: published (3,64,64,128,128,140,153,153,153,261), or widths like these.",
)
@click.option(
    "--ratio",
    type=float,
    metavar="SHARE",
    help="symmetric-l2: of its channels, what each layer from block 3 on (or tied by --mirror) "
    "loses.",
)
@click.option(
    "--budget",
    help="symmetric-l2: what the network may cost and lose, such as 'macs<=50%, style<=+5%'; of "
    "macs, parameters, bytes (at int8, % or 2MB), style (%) and psnr (dB).",
)
@click.option(
    "--sensitivity",
    is_flag=True,
    help="symmetric-l2: measure what the picture loses by each layer alone; without --layout, "
    "--ratio and --budget nothing is cut.",
)
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="LAYER=LAYER",
    help="symmetric-l2: a convolution of the encoder and the decoder's that mirrors it, or one "
    "alone, by their names in the state dict; repeatable.",
)
@click.option(
    "--criterion",
    help="symmetric-l2: what ranks filters: l2, l1, geometric-median or package.module:function.  "
    "[default: l2]",
)
@click.option(
    "--refit/--no-refit",
    default=None,
    help="symmetric-l2: choose kernels that lost inputs anew, by least squares on the calibration "
    "pictures.  [default: --refit]",
)
@click.option(
    "--retrain",
    type=PATH,
    multiple=True,
    help="symmetric-l2: prune in rounds, and train after each, on this folder of photographs; "
    "repeatable.",
)
@click.option("--style", type=PATH, multiple=True, help="With --retrain: folder of paintings.")
@click.option(
    "--loss-weights",
    type=PATH,
    help="ImageNet VGG-16, which style is measured in; --retrain needs it.  [default: the shipped "
    "encoder]",
)
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--steps", type=click.IntRange(1), default=2_000, show_default=True, help="Of each round."
)
@click.option("--learning-rate", type=float, default=2e-4, show_default=True)
@click.option("--resume", is_flag=True, help="With --retrain: go on with OUT-rounds.")
@click.option(
    "--calibration",
    type=PATH,
    multiple=True,
    help="Folder of pictures that channels are watched on, 16 or more; every fourth is held out "
    "for the proof.  [default: those that ship]",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="HxW",
    help="Of the pictures; repeatable.  [default: 256]",
)
@click.option("-o", "--out", type=PATH, help="Folder.  [default: NETWORK-METHOD]")
@click.option("--overwrite", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@json_option
def prune(
    network: str,
    checkpoints: tuple[Path, ...],
    method: str,
    layout: str | None,
    ratio: float | None,
    budget: str | None,
    sensitivity: bool,
    mirrors: tuple[str, ...],
    criterion: str | None,
    refit: bool | None,
    retrain: tuple[Path, ...],
    style: tuple[Path, ...],
    loss_weights: Path | None,
    rounds: int,
    steps: int,
    learning_rate: float,
    resume: bool,
    calibration: tuple[Path, ...],
    sizes: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove channels from NETWORK (default: adain-lite) together with all that depends on them.

    Writes OUT/weights.safetensors (what --checkpoint takes, of every command), report.json,
    card.md, sheet.png (before and after) and channels.svg. What zero-channel leaves is proven: 90
    dB or more to the original on every held-out picture, or nothing is written. What symmetric-l2
    leaves paints worse until it is trained on, encoder and decoder: by --retrain, in rounds kept
    in OUT-rounds, or later by styleexport train NETWORK --from OUT/weights.safetensors. Where a
    --budget cannot be met, what came nearest is written all the same, and the exit code is 3.
    """
    from styleexport.cli._parse import parse_sizes
    from styleexport.core.errors import UsageError
    from styleexport.models.compress.prune.budget import PruneBudget, check_budget
    from styleexport.models.compress.prune.criteria import DEFAULT
    from styleexport.models.compress.prune.mirrors import LayerPair
    from styleexport.models.compress.prune.prune import prune_symmetrically, prune_zero_channels
    from styleexport.models.compress.prune.request import (
        DEFAULT_SIZE,
        PruneRequest,
        SymmetricRequest,
    )
    from styleexport.models.network_spec import NetworkSpec

    symmetric = method == "symmetric-l2"
    own = (layout, ratio, budget, criterion, refit, retrain or None, mirrors or None)
    if not symmetric and (sensitivity or any(value is not None for value in own)):
        raise UsageError(
            "--layout, --ratio, --budget, --sensitivity, --mirror, --criterion, --refit and "
            "--retrain are of --method symmetric-l2: add it"
        )
    if not retrain and (style or resume):
        raise UsageError("--style and --resume go with --retrain FOLDER: add it")
    out = out or Path(f"{NetworkSpec.parse(network).label}-{method}")
    request = PruneRequest(
        network=network,
        checkpoints=checkpoints,
        out=out,
        loss_weights=loss_weights,
        calibration=calibration,
        sizes=parse_sizes(sizes) or (DEFAULT_SIZE,),
        overwrite=overwrite,
        dry_run=dry_run,
    )
    if symmetric:
        settings = SymmetricRequest(
            layout=layout,
            ratio=ratio,
            budget=PruneBudget.parse(budget) if budget is not None else None,
            sensitivity=sensitivity,
            pairs=tuple(LayerPair.parse(text) for text in mirrors),
            criterion=criterion or DEFAULT,
            reconstruct=refit is not False,
            retrain=retraining(
                retrain, style, loss_weights, out, rounds, steps, learning_rate, resume
            )
            if retrain
            else None,
        )
        report = prune_symmetrically(request, settings, talk)
    else:
        report = prune_zero_channels(request, talk)
    if as_json:
        print_json(report)
    else:
        print_pruned(report)
    check_budget(report)


def retraining(
    content: tuple[Path, ...],
    style: tuple[Path, ...],
    loss_weights: Path | None,
    out: Path,
    rounds: int,
    steps: int,
    learning_rate: float,
    resume: bool,
) -> Retraining:
    """Return how the network is trained between cuts."""
    from styleexport.models.compress.prune.iterative import Retraining
    from styleexport.models.training.plan import TrainingPlan, has_bfloat16, pick_device

    place = pick_device("auto")
    plan = TrainingPlan(
        content=content,
        style=style,
        loss_weights=loss_weights,
        out=out.with_name(f"{out.name}-rounds"),
        steps=steps,
        learning_rate=learning_rate,
        device=place,
        bfloat16=has_bfloat16(place),
    )
    return Retraining(plan, rounds, resume)


def print_pruned(report: PruneReport) -> None:
    """Print what went, layer by layer, and what that saves."""
    from styleexport.cli._costs import cost_rows

    if report.sensitivity is not None:
        print_sensitivity(report.sensitivity)
        if report.layout is None:
            return
    for change in report.costs.layers:
        click.echo(
            f"{change.layer}: {change.inputs.before:.0f} → {change.inputs.after:.0f} in, "
            f"{change.outputs.before:.0f} → {change.outputs.after:.0f} out"
        )
    if report.layout is not None:
        click.echo(f"layout: {','.join(map(str, report.layout))}")
    rows = cost_rows(report.costs)
    if report.style is not None:
        style = report.style.distance
        now = (f"{style.before:.4f}", f"{style.after:.4f}", f"{style.share:.0%}")
        rows.append(("style distance", *now))
    print_table(("", "before", "after", "share"), rows)
    if report.reactivated:
        talk(f"{report.reactivated} channels woke on held-out pictures, and stay")
    if report.kept_empty:
        count = report.kept_empty
        talk(f"{count} empty channels stay: a layer's last, or read by unknown operations")
    if not report.removed:
        click.echo("there is no channel to remove: nothing was written")
    elif report.weights is None:
        click.echo(f"{report.removed} channels would go; nothing was written")
    else:
        click.echo(f"weights: {report.weights} ({report.worst_db} dB on the worst picture)")


def print_sensitivity(found: Sensitivity) -> None:
    """Print what the picture loses by each layer alone."""
    click.echo(
        f"change of style distance ({found.style_distance:.4f} whole; {found.loss_network}) and "
        f"PSNR to the whole network, {found.pairs} paintings at {found.size}, by what one layer "
        "and its mirror lose"
    )
    shares = [f"{loss.share:.3g} gone" for loss in found.layers[0].losses]
    rows = [
        (
            layer.layer if layer.decoder is None else f"{layer.layer} = {layer.decoder}",
            str(layer.width),
            *(f"{loss.style_change:+.1%} {loss.psnr_db:.1f} dB" for loss in layer.losses),
        )
        for layer in found.layers
    ]
    print_table(("layer", "width", *shares), rows)


COMMAND = prune
