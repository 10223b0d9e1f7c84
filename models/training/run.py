"""Training of a network, from its specification to its weights file, with a log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from styleexport.core.errors import UsageError
from styleexport.core.images import write_image
from styleexport.models.architecture import (
    SYMMETRIC_L2,
    TRAIN,
    read_history,
    record_after,
    write_weights,
)
from styleexport.models.network import StyleNetwork, TwoImageModule
from styleexport.models.networks._open import describe
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.contact_sheet import paint_all, sheet_of, squares
from styleexport.models.training.data import image_files
from styleexport.models.training.evaluation import GainBeyondColour
from styleexport.models.training.loop import Trainer, TrainingProgress
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.reconstruction import InverseObjective, ReconstructionObjective
from styleexport.models.training.run_folder import LAST, LOG, WEIGHTS, run_folder
from styleexport.models.training.start import StartingPoint
from styleexport.models.training.statistics import adapt, measure_norms

SHEET_SIDE = 256
SHEET_EACH = 5
NORM_PICTURES = 16
OBJECTIVES = {
    "adain": AdainObjective,
    "reconstruction": ReconstructionObjective,
    "inverse": InverseObjective,
}
ENCODER, DECODER = ("encoder.features.",), ("decoder.",)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training.

    Attributes:
        weights: path of the averaged weights, safetensors.
        step: last step done.
        losses: terms of the loss, means over the last progress report.
        first_db: fine-tuning for int8: PSNR in dB of the int8 paintings to those of the float
            network that it started from, on a few whole pictures, before the first step. None in
            other trainings.
        final_db: the same PSNR with the final weights.
    """

    weights: Path
    step: int
    losses: dict[str, float]
    first_db: float | None = None
    final_db: float | None = None


@dataclass(frozen=True)
class Sheet:
    """A contact sheet of a network's present state.

    Attributes:
        picture: the sheet.
        gains: gain beyond colour of its paintings; () where it is not measured.
    """

    picture: Image.Image
    gains: Sequence[GainBeyondColour] = ()


def trained_parts(
    network: StyleNetwork, checkpoints: Sequence[Path], train_encoder: bool | None = None
) -> tuple[str, ...]:
    """Return name prefixes of the trained parameters.

    Args:
        network: description of the network.
        checkpoints: files that it starts from; of a network pruned symmetrically, all is trained.
        train_encoder: whether the encoder is trained; None for the network's own way.
    """
    if train_encoder is False:
        return _beside_encoder(network.trains) or DECODER
    if any(event.method == SYMMETRIC_L2 for event in read_history(checkpoints)):
        return ("",)
    trains = network.trains or ("",)
    return trains if not train_encoder or _names_encoder(trains) else (*ENCODER, *trains)


def _beside_encoder(trains: Sequence[str]) -> tuple[str, ...]:
    """Return the prefixes that are no encoder's."""
    return tuple(prefix for prefix in trains if not prefix.startswith("encoder."))


def _names_encoder(trains: Sequence[str]) -> bool:
    """Whether an encoder's parameters are among those trained."""
    return any(prefix.startswith("encoder.") or not prefix for prefix in trains)


def train_network(
    name: str,
    plan: TrainingPlan,
    *,
    checkpoints: Sequence[Path] = (),
    backbone: Path | None = None,
    variant: Mapping[str, str] | None = None,
    train_encoder: bool | None = None,
    resume: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Train a network with the AdaIN objective and return the result.

    Args:
        name: network name, or ``package.module:factory``.
        plan: training settings.
        checkpoints: weights files to start from; the backbone is ignored then.
        backbone: weights file of the encoder.
        variant: variant of the network, its choices by name: ``encoder``, ``tap``, ``decoder``.
        train_encoder: whether the encoder is trained; None for the network's own way.
        resume: whether to continue from ``out/last.pt``.
        progress: receives progress lines.

    Raises:
        UsageError: folders, backbone or network do not fit, or ``out`` holds another training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    network = describe(name)
    start = StartingPoint(
        checkpoints, None if checkpoints else backbone, plan.seed, variant=variant or {}
    )
    start.check_variant(network)
    trains = trained_parts(network, checkpoints, train_encoder)
    if network.start is not None and start.is_random and not _names_encoder(trains):
        raise UsageError(
            f"{network.name} trains {' and '.join(trains).replace('.', '')} for a frozen encoder: "
            f"type --backbone PATH with {network.backbone}, or --train-encoder"
        )
    module = start.open(network).module
    if not any(parameter.startswith(trains) for parameter, _ in module.named_parameters()):
        raise UsageError(
            f"{network.name} has no parameters named {' or '.join(trains)}: leave out "
            "--train-encoder and --freeze-encoder"
        )
    plan = replace(plan, trains=trains)
    trainer = Trainer(module, plan, OBJECTIVES[network.objective](module, plan))
    if not checkpoints and not resume:
        folders, device = [*plan.content, *plan.style], trainer.device
        measure = measure_norms if start.is_random else adapt
        measure(module, lambda: _squares(folders, device, plan.crop, NORM_PICTURES))
    return run_training(network, trainer, start.files, TRAIN, resume=resume, progress=progress)


def run_training(
    network: StyleNetwork,
    trainer: Trainer,
    parents: Sequence[Path],
    method: str,
    *,
    resume: bool,
    progress: Callable[[str], None],
) -> TrainingResult:
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
    with run_folder(trainer.plan.out, [WEIGHTS], resume=resume, progress=progress):
        return _run(network, trainer, parents, method, resume=resume, progress=progress)


def _run(
    network: StyleNetwork,
    trainer: Trainer,
    parents: Sequence[Path],
    method: str,
    *,
    resume: bool,
    progress: Callable[[str], None],
) -> TrainingResult:
    plan, objective = trainer.plan, trainer.objective
    if resume:
        trainer.resume(plan.out / LAST)
        progress(f"resumed at step {trainer.step}")
    schedule = {"steps": plan.steps, "batch": plan.batch, "crop": plan.crop, "seed": plan.seed}
    architecture = record_after(network, trainer.module, parents, method, schedule)
    contents = _squares(plan.content, trainer.device)
    styles = _squares(plan.style, trainer.device) if plan.style else None

    def sheet() -> Sheet | None:
        if styles is None:
            return None
        painter = objective.sheet_network()
        assert isinstance(painter, TwoImageModule)
        paintings = paint_all(painter, contents, styles)
        gains = objective.gains(contents, styles, paintings)
        return Sheet(sheet_of(contents, styles, paintings), gains)

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
    weights = plan.out / WEIGHTS
    write_weights(weights, trainer.averaged_state(), architecture)
    return TrainingResult(weights, trainer.step, losses, first, final)


def run_logged(
    trainer: Trainer,
    sheet: Callable[[], Sheet | None],
    progress: Callable[[str], None],
) -> dict[str, float]:
    """Train to the plan's last step, write ``log.jsonl`` and contact sheets, return the losses.

    Args:
        trainer: trainer whose objective has been opened.
        sheet: draws a contact sheet of the network's present state; returns None without one.
        progress: receives progress lines.

    Raises:
        BadCheckpoint: the loss became NaN.
    """
    plan = trainer.plan
    losses: dict[str, float] = {}

    def on_progress(at: TrainingProgress) -> None:
        losses.update(at.losses)
        progress(_line(at))
        entry = {"step": at.step, "seconds": at.seconds_per_step, **at.losses}
        with (plan.out / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if at.step % plan.sheet_every and at.step != plan.steps:
            return
        with trainer.averaged():
            drawn = sheet()
        if drawn is not None:
            path = plan.out / f"sheet_{at.step:06d}.png"
            write_image(drawn.picture, path)
            progress(f"contact sheet: {path}{_gains(drawn.gains)}")

    trainer.run(on_progress)
    return losses


def _gains(gains: Sequence[GainBeyondColour]) -> str:
    """Return the gains of a sheet in words, after its path; "" without any."""
    figures = ", ".join(f"{gain.mean:+.3f} at {gain.size}" for gain in gains)
    return figures and f"; gain beyond colour {figures}"


def _squares(
    folders: Sequence[Path], device: torch.device, side: int = SHEET_SIDE, most: int = SHEET_EACH
) -> Tensor:
    return squares(image_files(folders), side, most).to(device)


def _line(progress: TrainingProgress) -> str:
    terms = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    minutes = progress.seconds_left / 60
    return (
        f"step {progress.step}/{progress.steps}  {terms}  "
        f"{progress.seconds_per_step:.3f} s/step  {minutes:.0f} min left"
    )
