"""`styleexport train`: a two-image network learns from folders of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from styleexport.cli._common import PATH, json_option, print_json, talk
from styleexport.cli._training import training_options

STEPS, TUNING_STEPS = 20_000, 400
RATE, TUNING_RATE = 1e-3, 1e-5


@click.command(
    epilog="Example: styleexport train adain-lite --content photos/ --style paintings/ "
    "--loss-weights vgg16.pth -o runs/lite"
)
@click.argument("network", default="adain-lite")
@click.option(
    "--content", type=PATH, multiple=True, required=True, help="Folder of photographs; repeatable."
)
@click.option("--style", type=PATH, multiple=True, help="Folder of paintings; repeatable.")
@click.option(
    "--loss-weights",
    type=PATH,
    help="ImageNet VGG-16, the loss network: torchvision's .pth or a layer-named .npz.",
)
@click.option(
    "--backbone",
    type=PATH,
    help="Weights of the frozen encoder of adain-vgg16, adain-vgg19 or adain-cd16x.",
)
@click.option(
    "--checkpoint",
    "--from",
    "checkpoints",
    type=PATH,
    multiple=True,
    help="Start from these weights; repeatable.",
)
@click.option(
    "--quantize-aware",
    "recipes",
    type=PATH,
    multiple=True,
    metavar="RECIPE",
    help="Fine-tune for int8 as a recipe of an artifact's recipes/ says; repeatable, one a role.",
)
@click.option(
    "--teacher-weight",
    type=float,
    help="With --quantize-aware: how closely int8 is held to the float network.  [default: 1000]",
)
@click.option("-o", "--out", type=PATH, help="Folder of the training.  [default: runs/NETWORK]")
@click.option("--resume", is_flag=True, help="Go on from OUT/last.pt.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    help=f"[default: {STEPS}; {TUNING_STEPS} with --quantize-aware]",
)
@click.option(
    "--learning-rate", type=float, help=f"[default: {RATE}; {TUNING_RATE} with --quantize-aware]"
)
@click.option("--content-weight", type=float, default=1.5, show_default=True)
@click.option("--style-weight", type=float, default=1.0, show_default=True)
@click.option("--identity-weight", type=float, default=1.0, show_default=True)
@click.option("--variation-weight", type=float, default=0.0, show_default=True)
@training_options
@json_option
def train(
    network: str,
    content: tuple[Path, ...],
    style: tuple[Path, ...],
    loss_weights: Path | None,
    backbone: Path | None,
    checkpoints: tuple[Path, ...],
    recipes: tuple[Path, ...],
    teacher_weight: float | None,
    out: Path | None,
    resume: bool,
    steps: int | None,
    batch: int,
    crop: int,
    learning_rate: float | None,
    content_weight: float,
    style_weight: float,
    identity_weight: float,
    variation_weight: float,
    seed: int,
    device: str,
    arithmetic: str,
    sheet_every: int,
    as_json: bool,
) -> None:
    """Train NETWORK with the AdaIN objective under a VGG-16 loss network.

    Writes OUT/weights.safetensors (what --checkpoint takes), OUT/last.pt (what --resume takes),
    OUT/log.jsonl and contact sheets.

    With --quantize-aware, NETWORK starts from --from (or the weights it ships with) and learns to
    paint under the rounding of int8 as its float self paints. --loss-weights adds the AdaIN
    objective. A network of one style takes --content alone.
    """
    from styleexport.core.errors import UsageError
    from styleexport.models.compress.quantize_aware.fine_tune import (
        DEFAULT_TEACHER_WEIGHT,
        fine_tune_network,
        quantize_aware,
    )
    from styleexport.models.losses.adain import LossWeights
    from styleexport.models.training.plan import TrainingPlan, has_bfloat16, pick_device
    from styleexport.models.training.run import train_network

    if teacher_weight is not None and not recipes:
        raise UsageError("--teacher-weight is of fine-tuning for int8: add --quantize-aware RECIPE")
    weight = DEFAULT_TEACHER_WEIGHT if teacher_weight is None else teacher_weight
    how = quantize_aware(recipes, weight) if recipes else None
    place = pick_device(device)
    plan = TrainingPlan(
        content=content,
        style=style,
        loss_weights=loss_weights,
        out=out or Path("runs") / network.replace(":", "-"),
        steps=steps or (TUNING_STEPS if how else STEPS),
        batch=batch,
        crop=crop,
        learning_rate=(TUNING_RATE if how else RATE) if learning_rate is None else learning_rate,
        weights=LossWeights(content_weight, style_weight, identity_weight, variation_weight),
        seed=seed,
        device=place,
        bfloat16=arithmetic == "bf16" or (arithmetic == "auto" and not how and has_bfloat16(place)),
        sheet_every=sheet_every,
    )
    start = partial(train_network, network, plan)
    if how is not None:
        start = partial(fine_tune_network, network, plan, how)
    result = start(checkpoints=checkpoints, backbone=backbone, resume=resume, progress=talk)
    if as_json:
        entry = {"weights": str(result.weights), "step": result.step, "losses": result.losses}
        if how is not None:
            entry |= {"first_db": result.first_db, "final_db": result.final_db}
        print_json(entry)
    else:
        click.echo(str(result.weights))


COMMAND = train
