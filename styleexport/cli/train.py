"""`styleexport train`: train a network on folders of pictures, or fine-tune it for int8."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from styleexport.cli._common import PATH, json_option, print_json, say, talk, weights_key_option
from styleexport.cli._levels import levels_option
from styleexport.cli._training import TrainingOptions, training_options, uses_bfloat16
from styleexport.cli._types import FOLDER, NETWORK, NUMBER, POSITIVE, RECIPE, WEIGHTS
from styleexport.core.assets import DEFAULT_NETWORK

if TYPE_CHECKING:
    from styleexport.models.compress.quantize_aware.fine_tune import QuantizeAware
    from styleexport.models.network_spec import NetworkSpec
    from styleexport.models.training.plan import TrainingPlan
    from styleexport.models.training.run import TrainingResult

STEPS, TUNING_STEPS = 20_000, 400
RATE, TUNING_RATE = 1e-3, 1e-5


class Options(TrainingOptions):
    """Options of a training, as typed."""

    content: tuple[Path, ...]
    style: tuple[Path, ...]
    loss_weights: Path | None
    backbone: Path | None
    scoring: str
    encoder: str | None
    tap: str | None
    decoder: str | None
    train_encoder: bool | None
    checkpoints: tuple[Path, ...]
    recipes: tuple[Path, ...]
    teacher_weight: float | None
    out: Path | None
    resume: bool
    steps: int | None
    learning_rate: float | None
    content_weight: float
    style_weight: float
    style_scales: tuple[int, ...]
    full_size_every: int
    identity_weight: float
    variation_weight: float


@click.command(
    short_help="Train a network, or fine-tune it for int8.",
    epilog="Example: styleexport train adain-residual --content photos/ --style paintings/ "
    "--loss-weights vgg16.pth -o runs/lite",
)
@click.argument("network", type=NETWORK, default=DEFAULT_NETWORK)
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
    help="ImageNet weights of the loss network: torchvision's .pth or a layer-named .npz.",
)
@click.option(
    "--scoring",
    type=click.Choice(["vgg16", "vgg19"]),
    default="vgg16",
    help="Loss network, of which --loss-weights are.",
)
@click.option(
    "--backbone",
    type=WEIGHTS,
    help="Weights of the encoder, of a network whose encoder is trained elsewhere.",
)
@click.option("--encoder", metavar="NAME", help="Encoder of the network adain.  [default: vgg19]")
@click.option(
    "--tap",
    metavar="LAYER",
    help="Layer of the encoder whose features are used; a wrong one shows the list.",
)
@click.option(
    "--decoder", metavar="KIND", help="Decoder of adain-densenet121: paired (default) or single."
)
@click.option(
    "--train-encoder/--freeze-encoder",
    default=None,
    help="Train the encoder too, or the decoder alone.  [default: as the network does]",
)
@click.option(
    "--checkpoint",
    "--from",
    "checkpoints",
    type=WEIGHTS,
    multiple=True,
    help="Start from these weights; repeatable.",
)
@weights_key_option
@levels_option
@click.option(
    "--quantize-aware",
    "recipes",
    type=RECIPE,
    multiple=True,
    metavar="RECIPE",
    help="Fine-tune for int8 with this recipe of an artifact's recipes/; repeat per role.",
)
@click.option(
    "--teacher-weight",
    type=NUMBER,
    help="With --quantize-aware: weight of the loss against the float network.  [default: 1000]",
)
@click.option("-o", "--out", type=PATH, help="Folder to write.  [default: runs/NETWORK]")
@click.option("--resume", is_flag=True, help="Continue from OUT/last.pt.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    help=f"Training steps.  [default: {STEPS}; {TUNING_STEPS} with --quantize-aware]",
)
@click.option(
    "--learning-rate",
    type=POSITIVE,
    help=f"Learning rate.  [default: {RATE}; {TUNING_RATE} with --quantize-aware]",
)
@click.option(
    "--content-weight",
    type=NUMBER,
    default=1.5,
    help="Weight of the content loss.",
)
@click.option("--style-weight", type=NUMBER, default=1.0, help="Weight of the style loss.")
@click.option(
    "--style-scale",
    "style_scales",
    type=click.IntRange(2),
    multiple=True,
    metavar="FACTOR",
    help="Take the style loss of paintings and styles reduced by this factor too; repeatable. With "
    "2 and 4, strokes grow with the picture.",
)
@click.option(
    "--full-size-every",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="With --style-scale: take the style loss at full size, which costs most, in every Nth "
    "step alone, and compare content at the next scale.",
)
@click.option(
    "--identity-weight",
    type=NUMBER,
    default=1.0,
    help="Weight of the loss on a picture in its own style.",
)
@click.option(
    "--variation-weight",
    type=NUMBER,
    default=0.0,
    help="Weight of the total variation loss.",
)
@training_options
@json_option
def train(network: NetworkSpec, as_json: bool, **options: Unpack[Options]) -> TrainingResult:
    """Train NETWORK with the AdaIN objective under a VGG loss network.

    avatar-net learns to reconstruct pictures instead, and style-swap to invert its encoder, as they
    were published: --content-weight weights features, --identity-weight pixels.

    Writes OUT/weights.safetensors (for --checkpoint), OUT/last.pt (for --resume), OUT/log.jsonl and
    contact sheets.

    With --quantize-aware, NETWORK starts from --from (or the weights it ships with) and learns to
    paint in int8 arithmetic as it paints in float. --loss-weights adds the AdaIN objective. A
    network with a fixed style takes --content alone.
    """
    from styleexport.models.compress.quantize_aware.fine_tune import fine_tune_network
    from styleexport.models.training.run import train_network

    recipes = _quantize_aware(options)
    plan, variant = _plan(network, options), _variant(options)
    start = partial(
        train_network,
        str(network),
        plan,
        variant=variant,
        train_encoder=options["train_encoder"],
    )
    if recipes is not None:
        start = partial(fine_tune_network, str(network), plan, recipes)
    result = start(
        checkpoints=options["checkpoints"],
        backbone=options["backbone"],
        resume=options["resume"],
        progress=talk,
    )
    if not as_json:
        say(str(result.weights))
        return result
    entry = {"weights": str(result.weights), "step": result.step, "losses": result.losses}
    if recipes is not None:
        entry |= {"first_db": result.first_db, "final_db": result.final_db}
    print_json(entry)
    return result


def _quantize_aware(options: Options) -> QuantizeAware | None:
    """Return how to fine-tune for int8, or None to train in float."""
    from styleexport.core.errors import UsageError
    from styleexport.models.compress.quantize_aware.fine_tune import (
        DEFAULT_TEACHER_WEIGHT,
        quantize_aware,
    )

    weight = options["teacher_weight"]
    if not options["recipes"]:
        if weight is not None:
            raise UsageError(
                "--teacher-weight is of fine-tuning for int8: add --quantize-aware RECIPE"
            )
        return None
    float_only = [f"--{name}" for name in _variant(options)]
    float_only += ["--train-encoder"] if options["train_encoder"] is not None else []
    if float_only:
        raise UsageError(
            f"{float_only[0]} is of a training in float, and --quantize-aware tunes a trained "
            "network: leave it out"
        )
    return quantize_aware(options["recipes"], DEFAULT_TEACHER_WEIGHT if weight is None else weight)


def _variant(options: Options) -> dict[str, str]:
    """Return what is chosen of a network's encoder and decoder."""
    chosen = {
        "encoder": options["encoder"],
        "tap": options["tap"],
        "decoder": options["decoder"],
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _plan(network: NetworkSpec, options: Options) -> TrainingPlan:
    """Return the plan that the options describe."""
    from styleexport.models.losses.adain import LossWeights
    from styleexport.models.training.plan import TrainingPlan, pick_device, slots_for

    tuned = bool(options["recipes"])
    steps, rate = (TUNING_STEPS, TUNING_RATE) if tuned else (STEPS, RATE)
    device = pick_device(options["device"])
    return TrainingPlan(
        content=options["content"],
        style=options["style"],
        loss_weights=options["loss_weights"],
        scoring=options["scoring"],
        out=options["out"] or Path("runs") / network.label,
        steps=options["steps"] or steps,
        batch=options["batch"],
        crop=options["crop"],
        style_scales=_style_scales(options),
        full_size_every=options["full_size_every"],
        slots=slots_for(options["crop"]),
        learning_rate=rate if options["learning_rate"] is None else options["learning_rate"],
        weights=LossWeights(
            options["content_weight"],
            options["style_weight"],
            options["identity_weight"],
            options["variation_weight"],
        ),
        seed=options["seed"],
        device=device,
        bfloat16=uses_bfloat16(options["arithmetic"], device, tuned=tuned),
        sheet_every=options["sheet_every"],
    )


def _style_scales(options: Options) -> tuple[int, ...]:
    """Return the factors of the style loss, 1 first.

    Raises:
        UsageError: the crops are too small for one.
    """
    from styleexport.core.errors import UsageError
    from styleexport.core.perceptual import SMALLEST_SIDE

    scales, crop = (1, *sorted(set(options["style_scales"]))), options["crop"]
    if options["full_size_every"] > 1 and len(scales) == 1:
        raise UsageError("--full-size-every needs a scale for other steps: type --style-scale 2")
    if crop // scales[-1] < SMALLEST_SIDE:
        raise UsageError(
            f"--style-scale {scales[-1]} leaves {crop // scales[-1]} pixels of a crop of {crop}, "
            f"expected {SMALLEST_SIDE} or more: type --crop {SMALLEST_SIDE * scales[-1]}"
        )
    return scales


SECTION = "compress"
COMMAND = train
