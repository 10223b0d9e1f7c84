"""`styleexport distill`: a student network learns from a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, talk
from styleexport.cli._training import training_options

if TYPE_CHECKING:
    from styleexport.models.compress.distill.report import DistillReport

SCRATCH_RATE, TUNING_RATE = 1e-3, 1e-4


@click.command(
    epilog="Example: styleexport distill --teacher adain-vgg16 --teacher-checkpoint "
    "vgg16.safetensors --student adain-lite --content photos/ --style paintings/ -o runs/small"
)
@click.option("--teacher", required=True, metavar="NETWORK", help="The network that knows.")
@click.option("--teacher-checkpoint", type=PATH, multiple=True, help="Its weights; repeatable.")
@click.option("--student", required=True, metavar="NETWORK", help="The network that learns.")
@click.option(
    "--student-checkpoint",
    type=PATH,
    multiple=True,
    help="Weights that it starts from; repeatable.  [default: from scratch]",
)
@click.option("--student-backbone", type=PATH, help="Weights of an encoder that it starts from.")
@click.option(
    "--content", type=PATH, multiple=True, required=True, help="Folder of photographs; repeatable."
)
@click.option("--style", type=PATH, multiple=True, help="Folder of paintings; repeatable.")
@click.option(
    "--loss-weights",
    type=PATH,
    help="ImageNet VGG-16: judges paintings in place of the loss network that ships.",
)
@click.option(
    "--level",
    "levels",
    multiple=True,
    metavar="NAME=WEIGHT",
    help="Hold the student to outputs, features, style or logits of its teacher, or to the "
    "objective of train; repeatable.  [default: outputs=1 and style=1, with features=0.5 where "
    "layers are matched; logits=1 for networks that return logits]",
)
@click.option(
    "--match",
    "matches",
    multiple=True,
    metavar="TEACHER_LAYER=STUDENT_LAYER",
    help="Layers for the level features; repeatable.  [default: of AdaIN networks, the encoder's "
    "first layer at each scale]",
)
@click.option("--temperature", type=float, help="Softens logits.  [default: 4]")
@click.option(
    "--evaluation",
    type=PATH,
    multiple=True,
    help="Folder of photographs to judge on; repeatable.  [default: those that ship, drawn ones]",
)
@click.option(
    "--evaluation-style",
    type=PATH,
    multiple=True,
    help="Folder of paintings to judge on; repeatable.  [default: those that ship]",
)
@click.option("--size", default="256", show_default=True, help="Of pictures that are judged.")
@click.option("-o", "--out", type=PATH, help="Folder.  [default: runs/STUDENT-of-TEACHER]")
@click.option("--resume", is_flag=True, help="Go on with OUT.")
@click.option("--steps", type=click.IntRange(1), default=20_000, show_default=True)
@click.option(
    "--learning-rate",
    type=float,
    help=f"[default: {SCRATCH_RATE}; {TUNING_RATE} with --student-checkpoint]",
)
@training_options
@click.option("--dry-run", is_flag=True, help="Only show both networks and what would be matched.")
@json_option
def distill(
    teacher: str,
    teacher_checkpoint: tuple[Path, ...],
    student: str,
    student_checkpoint: tuple[Path, ...],
    student_backbone: Path | None,
    content: tuple[Path, ...],
    style: tuple[Path, ...],
    loss_weights: Path | None,
    levels: tuple[str, ...],
    matches: tuple[str, ...],
    temperature: float | None,
    evaluation: tuple[Path, ...],
    evaluation_style: tuple[Path, ...],
    size: str,
    out: Path | None,
    resume: bool,
    steps: int,
    batch: int,
    crop: int,
    learning_rate: float | None,
    seed: int,
    device: str,
    arithmetic: str,
    sheet_every: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train a student network to do as its teacher does; both are whatever other commands take.

    Levels: outputs is the teacher's painting of the same pictures, features the values of its
    layers through learned 1x1 maps, style the channel statistics of its painting, logits its
    softened answer where both return logits [N, K] or [N, K, H, W], and objective the AdaIN
    objective of train, with --loss-weights. Networks without a style picture take --content alone.

    Writes OUT/weights.safetensors (what --checkpoint takes), last.pt (what --resume takes),
    log.jsonl, contact sheets, sheet.png (before and after), report.json and card.md.
    """
    from styleexport.core.types import Size
    from styleexport.models.compress.distill.distill import DistillRequest
    from styleexport.models.compress.distill.distill import distill as run
    from styleexport.models.compress.distill.levels import parse_levels, parse_matches
    from styleexport.models.losses.adain import LossWeights
    from styleexport.models.network_spec import NetworkSpec
    from styleexport.models.training.plan import TrainingPlan, has_bfloat16, pick_device

    place = pick_device(device)
    names = (NetworkSpec.parse(text).label for text in (student, teacher))
    weights = parse_levels(levels)
    rate = TUNING_RATE if student_checkpoint else SCRATCH_RATE
    plan = TrainingPlan(
        content=content,
        style=style,
        loss_weights=loss_weights,
        out=out or Path("runs") / "-of-".join(names),
        steps=steps,
        batch=batch,
        crop=crop,
        learning_rate=rate if learning_rate is None else learning_rate,
        weights=LossWeights(content=1.5),
        seed=seed,
        device=place,
        bfloat16=arithmetic == "bf16" or (arithmetic == "auto" and has_bfloat16(place)),
        sheet_every=sheet_every,
    )
    request = DistillRequest(
        teacher=teacher,
        teacher_checkpoints=teacher_checkpoint,
        student=student,
        student_checkpoints=student_checkpoint,
        student_backbone=student_backbone,
        plan=plan,
        levels=weights,
        pairs=parse_matches(matches),
        temperature=temperature,
        evaluation=evaluation,
        evaluation_style=evaluation_style,
        size=Size.parse(size),
        resume=resume,
        dry_run=dry_run,
    )
    report = run(request, talk)
    if as_json:
        print_json(report)
    else:
        print_distilled(report)


def print_distilled(report: DistillReport) -> None:
    """Print what was matched, what both networks cost, and what the student learned."""
    from styleexport.cli._costs import cost_rows
    from styleexport.models.compress.distill.report import quality_rows

    levels = ", ".join(f"{name} {weight:g}" for name, weight in report.levels.items())
    soft = "" if report.temperature is None else f", temperature {report.temperature:g}"
    click.echo(f"levels: {levels}{soft}")
    for match in report.matches:
        click.echo(
            f"match: {match.teacher} ({match.channels[0]} channels, {match.sizes[0]}) and "
            f"{match.student} ({match.channels[1]} channels, {match.sizes[1]})"
        )
    print_table(("", "teacher", "student", "share"), cost_rows(report.costs))
    if report.quality is None:
        click.echo("nothing was trained")
        return
    print_table(("", "teacher", "before", "after"), quality_rows(report.quality))
    click.echo(f"weights: {report.weights} (step {report.steps})")


COMMAND = distill
