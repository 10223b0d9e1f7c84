"""One training from a network's name to its weights file, logged as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.core.images import write_image
from styleexport.models.architecture import (
    SYMMETRIC_L2,
    TRAIN,
    read_architecture,
    record_after,
    write_weights,
)
from styleexport.models.network import StyleNetwork, TwoImageModule
from styleexport.models.networks._open import describe_factory, find, read_module
from styleexport.models.training.contact_sheet import paint_all, sheet_of, squares
from styleexport.models.training.data import image_files
from styleexport.models.training.loop import Trainer, TrainingProgress
from styleexport.models.training.objective import AdainObjective
from styleexport.models.training.plan import TrainingPlan

SHEET_SIDE = 256
SHEET_EACH = 5


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        weights: the averaged weights, safetensors.
        step: the last one done.
        losses: means over the last report.
        first_db: of a fine-tuning for int8: PSNR of int8's paintings to those of the float network
            it started from, on a few whole pictures, before the first step. Otherwise None.
        final_db: the same with the weights it left.
    """

    weights: Path
    step: int
    losses: dict[str, float]
    first_db: float | None = None
    final_db: float | None = None


def starting_module(
    network: StyleNetwork, checkpoints: Sequence[Path], backbone: Path | None, seed: int
) -> nn.Module:
    """Return the module a training starts from.

    Raises:
        UsageError: a backbone is missing or not taken.
        BadCheckpoint: weights of another network.
    """
    if checkpoints:
        return read_module(network, checkpoints)
    torch.manual_seed(seed)
    if network.start is not None:
        if backbone is None:
            raise UsageError(
                f"{network.name} trains a decoder for a frozen encoder: type --backbone PATH with "
                f"{network.backbone}"
            )
        return network.start(backbone)
    if backbone is not None:
        raise UsageError(f"{network.name} trains its own encoder: leave out --backbone")
    return network.build()


def trained_parts(network: StyleNetwork, checkpoints: Sequence[Path]) -> tuple[str, ...]:
    """Return which parameters are trained; an encoder that lost channels learns again."""
    found = read_architecture(checkpoints[0]) if len(checkpoints) == 1 else None
    if found is not None and any(event.method == SYMMETRIC_L2 for event in found.history):
        return ("",)
    return network.trains or ("",)


def train_network(
    name: str,
    plan: TrainingPlan,
    *,
    checkpoints: Sequence[Path] = (),
    backbone: Path | None = None,
    resume: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a network with the AdaIN objective and return where its weights are.

    Args:
        name: network name, or ``package.module:factory``.
        plan: training settings.
        checkpoints: weights to start from.
        backbone: weights of a frozen encoder.
        resume: whether to continue from ``out/last.pt``.
        progress: receives progress lines.

    Raises:
        UsageError: folders, backbone or network do not fit, or ``out`` holds another training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    network = described(name)
    module = starting_module(network, checkpoints, backbone, plan.seed)
    plan = replace(plan, trains=trained_parts(network, checkpoints))
    trainer = Trainer(module, plan, AdainObjective(module, plan))
    parents = checkpoints or ([] if backbone is None else [backbone])
    return run_training(network, trainer, parents, TRAIN, resume=resume, progress=progress)


def described(name: str) -> StyleNetwork:
    """Return the description of a network by name or ``package.module:factory``."""
    return describe_factory(name) if ":" in name else find(name)


def run_training(
    network: StyleNetwork,
    trainer: Trainer,
    parents: Sequence[Path],
    method: str,
    *,
    resume: bool,
    progress: Callable[[str], None],
) -> Trained:
    """Run a prepared trainer to its last step and write the averaged weights with their history.

    Args:
        network: description of the network that is trained.
        trainer: holds the module, the plan and the objective.
        parents: weights files that the training started from.
        method: name of the method in the weights' history.
        resume: whether to continue from ``out/last.pt``.
        progress: receives progress lines.

    Raises:
        UsageError: ``out`` holds another training.
        BadCheckpoint: the checkpoint does not fit, or the loss became NaN.
    """
    plan, objective = trainer.plan, trainer.objective
    last = plan.out / "last.pt"
    if resume:
        trainer.resume(last)
        progress(f"resumed at step {trainer.step}")
    elif last.exists():
        raise UsageError(f"{last} exists: add --resume to go on with it, or choose another -o")
    schedule = {"steps": plan.steps, "batch": plan.batch, "crop": plan.crop, "seed": plan.seed}
    architecture = record_after(network, trainer.module, parents, method, schedule)
    contents = _squares(plan.content, trainer.device)
    styles = _squares(plan.style, trainer.device) if plan.style else None

    def sheet() -> Image.Image | None:
        if styles is None:
            return None
        painter = objective.shown()
        assert isinstance(painter, TwoImageModule)
        return sheet_of(contents, styles, paint_all(painter, contents, styles))

    objective.open(trainer.step)
    first = objective.first_db(contents, styles)
    losses = run_logged(trainer, sheet, progress)
    with trainer.averaged():
        final = objective.psnr_db(contents, styles)
    if first is not None and final is not None:
        worse = "; it became worse: lower --learning-rate" if final < first else ""
        progress(
            f"int8 to the float network of the start: {first:.2f} dB, now {final:.2f} dB{worse}"
        )
    weights = plan.out / "weights.safetensors"
    write_weights(weights, trainer.averaged_state(), architecture)
    return Trained(weights, trainer.step, losses, first, final)


def run_logged(
    trainer: Trainer,
    sheet: Callable[[], Image.Image | None],
    progress: Callable[[str], None],
) -> dict[str, float]:
    """Train to the plan's last step and return the last losses; ``log.jsonl`` and sheets are kept.

    Args:
        trainer: its objective has been opened.
        sheet: draws a contact sheet of the network as it is, if there is one.
        progress: takes lines of progress.
    """
    plan = trainer.plan
    losses: dict[str, float] = {}
    plan.out.mkdir(parents=True, exist_ok=True)

    def on_progress(at: TrainingProgress) -> None:
        losses.update(at.losses)
        progress(_line(at))
        entry = {"step": at.step, "seconds": at.seconds_per_step, **at.losses}
        with (plan.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if at.step % plan.sheet_every and at.step != plan.steps:
            return
        with trainer.averaged():
            drawn = sheet()
        if drawn is not None:
            path = plan.out / f"sheet_{at.step:06d}.png"
            write_image(drawn, path)
            progress(f"contact sheet: {path}")

    trainer.run(on_progress)
    return losses


def _squares(folders: Sequence[Path], device: torch.device) -> Tensor:
    return squares(image_files(folders), SHEET_SIDE, SHEET_EACH).to(device)


def _line(progress: TrainingProgress) -> str:
    terms = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    minutes = progress.seconds_left / 60
    return (
        f"step {progress.step}/{progress.steps}  {terms}  "
        f"{progress.seconds_per_step:.3f} s/step  {minutes:.0f} min left"
    )
