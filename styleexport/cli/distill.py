"""`styleexport distill`: train a student network to imitate a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

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
from styleexport.cli._training import TrainingOptions, training_options, uses_bfloat16
from styleexport.cli._types import FOLDER, LEVEL, MATCH, NETWORK, POSITIVE, SIZE, WEIGHTS

if TYPE_CHECKING:
    from styleexport.core.types import Size
    from styleexport.models.compress.distill.levels import Level
    from styleexport.models.compress.distill.report import DistillReport
    from styleexport.models.compress.distill.request import DistillRequest
    from styleexport.models.network_spec import NetworkSpec
    from styleexport.models.training.plan import TrainingPlan

SCRATCH_RATE, TUNING_RATE = 1e-3, 1e-4


class Options(TrainingOptions):
    """Options of a distillation, as typed."""

    teacher: NetworkSpec
    teacher_checkpoint: tuple[Path, ...]
    student: NetworkSpec
    student_checkpoint: tuple[Path, ...]
    student_backbone: Path | None
    content: tuple[Path, ...]
    style: tuple[Path, ...]
    loss_weights: Path | None
    levels: tuple[tuple[Level, float], ...]
    matches: tuple[tuple[str, str], ...]
    temperature: float | None
    evaluation: tuple[Path, ...]
    evaluation_style: tuple[Path, ...]
    size: Size
    out: Path | None
    resume: bool
    steps: int
    learning_rate: float | None
    dry_run: bool


@click.command(
    short_help="Train a small network to imitate a large one.",
    epilog="Example: styleexport distill --teacher adain-vgg16 --teacher-checkpoint "
    "vgg16.safetensors --student adain-residual --content photos/ --style paintings/ -o runs/small",
)
@click.option("--teacher", type=NETWORK, required=True, help="Network to imitate.")
@click.option(
    "--teacher-checkpoint", type=WEIGHTS, multiple=True, help="Weights of the teacher; repeatable."
)
@click.option("--student", type=NETWORK, required=True, help="Network to train.")
@click.option(
    "--student-checkpoint",
    type=WEIGHTS,
    multiple=True,
    help="Initial weights of the student; repeatable.  [default: from scratch]",
)
@weights_key_option
@click.option("--student-backbone", type=WEIGHTS, help="Initial weights of the student's encoder.")
@click.option(
    "--content",
    type=FOLDER,
    multiple=True,
    required=True,
    help="Folder of photographs; repeatable.",
)
@click.option("--style", type=FOLDER, multiple=True, help="Folder of paintings; repeatable.")
@click.option(
    "--loss-weights",
    type=WEIGHTS,
    help="ImageNet VGG-16 as the loss network.  [default: the shipped loss network]",
)
@click.option(
    "--level",
    "levels",
    type=LEVEL,
    multiple=True,
    help="Loss term and its weight: outputs, features, style or logits of the teacher, or the "
    "objective of train; repeatable.  [default: outputs=1 and style=1, with features=0.5 where "
    "layers are matched; logits=1 for networks that return logits]",
)
@click.option(
    "--match",
    "matches",
    type=MATCH,
    multiple=True,
    help="Pair of layers for the level features; repeatable.  [default: for AdaIN networks, the "
    "encoder's first layer at each scale]",
)
@click.option("--temperature", type=POSITIVE, help="Temperature of the logits.  [default: 4]")
@click.option(
    "--evaluation",
    type=FOLDER,
    multiple=True,
    help="Folder of photographs to evaluate on; repeatable.  [default: shipped and synthetic "
    "pictures]",
)
@click.option(
    "--evaluation-style",
    type=FOLDER,
    multiple=True,
    help="Folder of paintings to evaluate on; repeatable.  [default: the shipped paintings]",
)
@click.option("--size", type=SIZE, default="256", help="Size of the evaluation pictures.")
@click.option("-o", "--out", type=PATH, help="Folder to write.  [default: runs/STUDENT-of-TEACHER]")
@click.option("--resume", is_flag=True, help="Continue the training in OUT.")
@click.option("--steps", type=click.IntRange(1), default=20_000, help="Training steps.")
@click.option(
    "--learning-rate",
    type=POSITIVE,
    help=f"Learning rate.  [default: {SCRATCH_RATE}; {TUNING_RATE} with --student-checkpoint]",
)
@training_options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show both networks and their matched layers, and train nothing.",
)
@json_option
def distill(as_json: bool, **options: Unpack[Options]) -> DistillReport:
    """Train a student network to imitate a teacher; both are anything that `train` takes.

    Levels: outputs compares paintings of the same pictures, features the activations of matched
    layers through learned 1x1 maps, style the channel statistics of the paintings, logits the
    softened outputs of networks that return [N, K] or [N, K, H, W], and objective is the AdaIN
    objective of train, with --loss-weights. Networks without a style picture take --content alone.

    Writes OUT/weights.safetensors (for --checkpoint), last.pt (for --resume), log.jsonl, contact
    sheets, sheet.png (before and after), report.json and card.md.
    """
    from styleexport.models.compress.distill.distill import distill as run

    report = run(_request(options), talk)
    print_json(report) if as_json else print_distilled(report)
    return report


def _request(options: Options) -> DistillRequest:
    """Return the request that the options describe."""
    from styleexport.models.compress.distill.levels import level_weights
    from styleexport.models.compress.distill.request import DistillRequest

    return DistillRequest(
        teacher=str(options["teacher"]),
        teacher_checkpoints=options["teacher_checkpoint"],
        student=str(options["student"]),
        student_checkpoints=options["student_checkpoint"],
        student_backbone=options["student_backbone"],
        plan=_plan(options),
        levels=level_weights(options["levels"]),
        pairs=options["matches"],
        temperature=options["temperature"],
        evaluation=options["evaluation"],
        evaluation_style=options["evaluation_style"],
        size=options["size"],
        resume=options["resume"],
        dry_run=options["dry_run"],
    )


def _plan(options: Options) -> TrainingPlan:
    """Return the plan of the student's training."""
    from styleexport.models.losses.adain import LossWeights
    from styleexport.models.training.plan import TrainingPlan, pick_device

    device = pick_device(options["device"])
    rate = TUNING_RATE if options["student_checkpoint"] else SCRATCH_RATE
    name = f"{options['student'].label}-of-{options['teacher'].label}"
    return TrainingPlan(
        content=options["content"],
        style=options["style"],
        loss_weights=options["loss_weights"],
        out=options["out"] or Path("runs") / name,
        steps=options["steps"],
        batch=options["batch"],
        crop=options["crop"],
        learning_rate=rate if options["learning_rate"] is None else options["learning_rate"],
        weights=LossWeights(content=1.5),
        seed=options["seed"],
        device=device,
        bfloat16=uses_bfloat16(options["arithmetic"], device),
        sheet_every=options["sheet_every"],
    )


def print_distilled(report: DistillReport) -> None:
    """Print the matched layers, the costs of both networks, and the student's quality."""
    from styleexport.cli._costs import cost_rows
    from styleexport.models.compress.distill.report import quality_rows

    levels = ", ".join(f"{name} {weight:g}" for name, weight in report.levels.items())
    soft = "" if report.temperature is None else f", temperature {report.temperature:g}"
    say(f"levels: {levels}{soft}")
    for match in report.matches:
        say(
            f"match: {match.teacher} ({match.channels[0]} channels, {match.sizes[0]}) and "
            f"{match.student} ({match.channels[1]} channels, {match.sizes[1]})"
        )
    print_table(("", "teacher", "student", "share"), cost_rows(report.costs))
    if report.quality is None:
        say("nothing was trained")
        return
    print_table(("", "teacher", "before", "after"), quality_rows(report.quality))
    say(f"weights: {report.weights} (step {report.steps})")


SECTION = "compress"
COMMAND = distill
