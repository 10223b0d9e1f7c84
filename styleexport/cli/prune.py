"""`styleexport prune`: remove channels from a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from styleexport.cli._common import (
    PATH,
    json_option,
    print_json,
    print_table,
    say,
    talk,
    weights_key_option,
)
from styleexport.cli._levels import levels_option
from styleexport.cli._training import uses_bfloat16
from styleexport.cli._types import (
    FOLDER,
    MIRROR,
    MULTIPLE,
    NETWORK,
    NUMBER,
    POSITIVE,
    PRUNE_BUDGET,
    SIZE,
    WEIGHTS,
)
from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.errors import UsageError

if TYPE_CHECKING:
    from styleexport.core.types import Size
    from styleexport.models.compress.prune.budget import PruneBudget
    from styleexport.models.compress.prune.iterative import Retraining
    from styleexport.models.compress.prune.mirrors import LayerPair
    from styleexport.models.compress.prune.multiples import Int8Times
    from styleexport.models.compress.prune.report import PruneReport
    from styleexport.models.compress.prune.request import PruneRequest, SymmetricRequest
    from styleexport.models.compress.prune.sensitivity import Sensitivity
    from styleexport.models.network_spec import NetworkSpec

SYMMETRIC = "symmetric-l2"


class Options(TypedDict):
    """Options of a pruning, as typed."""

    checkpoints: tuple[Path, ...]
    method: str
    layout: str | None
    ratio: float | None
    budget: PruneBudget | None
    sensitivity: bool
    mirrors: tuple[LayerPair, ...]
    criterion: str | None
    refit: bool | None
    retrain: tuple[Path, ...]
    style: tuple[Path, ...]
    loss_weights: Path | None
    rounds: int
    steps: int
    learning_rate: float
    resume: bool
    calibration: tuple[Path, ...]
    sizes: tuple[Size, ...]
    out: Path | None
    overwrite: bool
    dry_run: bool
    multiple: int | str | None


@click.command(
    short_help="Remove channels from a network.",
    epilog="Example: styleexport prune adain-cd16x --checkpoint e4.pth --checkpoint d4.pth "
    "--method zero-channel -o slim",
)
@click.argument("network", type=NETWORK, default=DEFAULT_NETWORK)
@click.option(
    "--checkpoint", "checkpoints", type=WEIGHTS, multiple=True, help="Weights; repeatable."
)
@weights_key_option
@levels_option
@click.option(
    "--method",
    type=click.Choice(["zero-channel", SYMMETRIC]),
    default="zero-channel",
    help="zero-channel removes channels that are always zero, without changing the output; "
    "symmetric-l2 narrows an encoder and its mirrored decoder by --layout, --ratio or --budget, "
    "and needs training afterwards.",
)
@click.option(
    "--layout",
    metavar="WIDTHS",
    help="symmetric-l2: widths to prune to, such as 3,64,64,128,128,140,153,153,153,261, or "
    "published for these.",
)
@click.option(
    "--ratio",
    type=NUMBER,
    metavar="SHARE",
    help="symmetric-l2: share of the channels to remove from each layer from block 3 on, or from "
    "each layer of --mirror.",
)
@click.option(
    "--budget",
    type=PRUNE_BUDGET,
    help="symmetric-l2: limits of cost and quality, such as 'macs<=50%, style<=+5%', on macs, "
    "parameters, bytes (at int8; % or 2MB), style (%) and psnr (dB).",
)
@click.option(
    "--sensitivity",
    is_flag=True,
    help="symmetric-l2: measure the quality lost by narrowing each layer alone; without --layout, "
    "--ratio and --budget nothing is pruned.",
)
@click.option(
    "--mirror",
    "mirrors",
    type=MIRROR,
    multiple=True,
    help="symmetric-l2: a convolution of the encoder and the decoder layer that mirrors it, or one "
    "layer alone, by name in the state dict; repeatable.",
)
@click.option(
    "--criterion",
    help="symmetric-l2: criterion that ranks filters: l2, l1, geometric-median or "
    "package.module:function.  [default: l2]",
)
@click.option(
    "--refit/--no-refit",
    default=None,
    help="symmetric-l2: refit kernels that lost inputs, by least squares on the calibration "
    "pictures.  [default: --refit]",
)
@click.option(
    "--retrain",
    type=FOLDER,
    multiple=True,
    help="symmetric-l2: prune in rounds and train after each on this folder of photographs; "
    "repeatable.",
)
@click.option(
    "--style", type=FOLDER, multiple=True, help="With --retrain: folder of paintings; repeatable."
)
@click.option(
    "--loss-weights",
    type=WEIGHTS,
    help="ImageNet VGG-16 to measure style with; needed by --retrain.  [default: the shipped "
    "encoder]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=4,
    help="With --retrain: number of rounds.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=2_000,
    help="With --retrain: steps per round.",
)
@click.option(
    "--learning-rate",
    type=POSITIVE,
    default=2e-4,
    help="With --retrain: learning rate.",
)
@click.option("--resume", is_flag=True, help="With --retrain: continue OUT-rounds.")
@click.option(
    "--multiple",
    type=MULTIPLE,
    help="Round widths to multiples of 8, 16 or any number up to 64, as kernels pack channels; "
    "auto measures which is fastest, in int8 in ONNX Runtime at the first --size. zero-channel "
    "rounds up and stays exact, symmetric-l2 to the nearest.",
)
@click.option(
    "--calibration",
    type=FOLDER,
    multiple=True,
    help="Folder of 16 or more pictures to observe channels on; every fourth is held out for the "
    "proof. Repeatable.  [default: the shipped pictures]",
)
@click.option(
    "--size",
    "sizes",
    type=SIZE,
    multiple=True,
    help="Size of the pictures; repeatable.  [default: 256]",
)
@click.option("-o", "--out", type=PATH, help="Folder to write.  [default: NETWORK-METHOD]")
@click.option("--overwrite", is_flag=True, help="Replace the folder of an earlier pruning.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and write nothing.")
@json_option
def prune(network: NetworkSpec, as_json: bool, **options: Unpack[Options]) -> PruneReport:
    """Remove channels from NETWORK (default: adain-residual), with everything that depends on them.

    Writes OUT/weights.safetensors (for --checkpoint of every command), report.json, card.md,
    sheet.png (before and after) and channels.svg. A network pruned by zero-channel is proven: 90 dB
    or more to the original on every held-out picture, or nothing is written. A network pruned by
    symmetric-l2 paints worse until it is trained again: with --retrain, in rounds kept in
    OUT-rounds, or later with styleexport train NETWORK --from OUT/weights.safetensors. If a
    --budget cannot be met, the closest result is still written, and the exit code is 3.
    """
    from styleexport.models.compress.prune.budget import check_budget
    from styleexport.models.compress.prune.prune import prune_symmetrically, prune_zero_channels

    _check_options(options)
    request = _request(network, options)
    if options["method"] == SYMMETRIC:
        report = prune_symmetrically(request, _symmetric_request(request.out, options), talk)
    else:
        report = prune_zero_channels(request, talk)
    print_json(report) if as_json else print_pruned(report)
    check_budget(report)
    return report


def _check_options(options: Options) -> None:
    """Refuse options of the other method, and of a training without photographs.

    Raises:
        UsageError: which they are, and what to add.
    """
    names = ("layout", "ratio", "budget", "criterion", "refit")
    symmetric = any(options[name] is not None for name in names) or any(
        (options["sensitivity"], options["retrain"], options["mirrors"])
    )
    if symmetric and options["method"] != SYMMETRIC:
        raise UsageError(
            "--layout, --ratio, --budget, --sensitivity, --mirror, --criterion, --refit and "
            "--retrain are of --method symmetric-l2: add it"
        )
    if not options["retrain"] and (options["style"] or options["resume"]):
        raise UsageError("--style and --resume go with --retrain FOLDER: add it")


def _request(network: NetworkSpec, options: Options) -> PruneRequest:
    """Return the request that the options describe."""
    from styleexport.models.compress.prune.request import DEFAULT_SIZE, PruneRequest

    return PruneRequest(
        network=str(network),
        checkpoints=options["checkpoints"],
        out=options["out"] or Path(f"{network.label}-{options['method']}"),
        loss_weights=options["loss_weights"],
        calibration=options["calibration"],
        sizes=options["sizes"] or (DEFAULT_SIZE,),
        overwrite=options["overwrite"],
        dry_run=options["dry_run"],
        multiple=_multiple(options["multiple"]),
    )


def _multiple(typed: int | str | None) -> int | Int8Times | None:
    """Return the multiple, or what times candidates."""
    if not isinstance(typed, str):
        return typed
    from styleexport.exporter.int8_times import OnnxRuntimeTimes

    return OnnxRuntimeTimes()


def _symmetric_request(out: Path, options: Options) -> SymmetricRequest:
    """Return the settings of symmetric-l2 that the options describe."""
    from styleexport.models.compress.prune.criteria import DEFAULT
    from styleexport.models.compress.prune.request import SymmetricRequest

    return SymmetricRequest(
        layout=options["layout"],
        ratio=options["ratio"],
        budget=options["budget"],
        sensitivity=options["sensitivity"],
        pairs=options["mirrors"],
        criterion=options["criterion"] or DEFAULT,
        reconstruct=options["refit"] is not False,
        retrain=_retraining(out, options) if options["retrain"] else None,
    )


def _retraining(out: Path, options: Options) -> Retraining:
    """Return the training between two rounds."""
    from styleexport.models.compress.prune.iterative import Retraining
    from styleexport.models.training.plan import TrainingPlan, pick_device

    device = pick_device("auto")
    plan = TrainingPlan(
        content=options["retrain"],
        style=options["style"],
        loss_weights=options["loss_weights"],
        out=out.with_name(f"{out.name}-rounds"),
        steps=options["steps"],
        learning_rate=options["learning_rate"],
        device=device,
        bfloat16=uses_bfloat16("auto", device),
    )
    return Retraining(plan, options["rounds"], options["resume"])


def print_pruned(report: PruneReport) -> None:
    """Print the channels removed from each layer, and the costs before and after."""
    from styleexport.cli._costs import cost_rows

    if report.sensitivity is not None:
        print_sensitivity(report.sensitivity)
        if report.layout is None:
            return
    for change in report.costs.layers:
        say(
            f"{change.layer}: {change.inputs.before:.0f} → {change.inputs.after:.0f} in, "
            f"{change.outputs.before:.0f} → {change.outputs.after:.0f} out"
        )
    if report.layout is not None:
        say(f"layout: {','.join(map(str, report.layout))}")
    rows = cost_rows(report.costs)
    if report.style is not None:
        style = report.style.distance
        now = (f"{style.before:.4f}", f"{style.after:.4f}", f"{style.share:.0%}")
        rows.append(("style distance", *now))
    print_table(("", "before", "after", "share"), rows)
    if report.reactivated:
        talk(f"{report.reactivated} channels woke on held-out pictures, and stay")
    if count := report.kept_empty:
        talk(f"{count} empty channels stay: a layer's last, or read by unknown operations")
    if report.multiple is not None:
        say(f"widths in multiples of {report.multiple.multiple}: {report.multiple.reason}")
    if count := report.kept_for_multiple:
        talk(f"{count} empty channels stay so that widths are multiples")
    if not report.removed:
        say("there is no channel to remove: nothing was written")
    elif report.weights is None:
        say(f"{report.removed} channels would go; nothing was written")
    else:
        say(f"weights: {report.weights} ({report.worst_db} dB on the worst picture)")


def print_sensitivity(result: Sensitivity) -> None:
    """Print the quality lost by narrowing each layer alone."""
    say(
        f"change of style distance ({result.style_distance:.4f} whole; {result.loss_network}) and "
        f"PSNR to the whole network, {result.pairs} paintings at {result.size}, by what one layer "
        "and its mirror lose"
    )
    shares = [f"{loss.share:.3g} gone" for loss in result.layers[0].losses]
    rows = [
        (
            layer.layer if layer.decoder is None else f"{layer.layer} = {layer.decoder}",
            str(layer.width),
            *(f"{loss.style_change:+.1%} {loss.psnr_db:.1f} dB" for loss in layer.losses),
        )
        for layer in result.layers
    ]
    print_table(("layer", "width", *shares), rows)


SECTION = "compress"
COMMAND = prune
