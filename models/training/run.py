"""One training from a network's name to its weights file, logged as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.core.images import write_image
from styleexport.models.network import StyleNetwork, TwoImageModule
from styleexport.models.registry import describe_factory, find, read_module
from styleexport.models.training.data import image_files
from styleexport.models.training.loop import Progress, Trainer, TrainingPlan
from styleexport.models.training.sheet import paint_all, sheet_of, squares

SHEET_SIDE = 256
SHEET_EACH = 5


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        weights: the averaged weights, safetensors.
        step: the last one done.
        losses: means over the last report.
    """

    weights: Path
    step: int
    losses: dict[str, float]


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


def train_network(
    name: str,
    plan: TrainingPlan,
    *,
    checkpoints: Sequence[Path] = (),
    backbone: Path | None = None,
    resume: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a network and return where its weights are.

    Raises:
        UsageError: folders, backbone or network do not fit, or ``out`` holds another training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    network = describe_factory(name) if ":" in name else find(name)
    module = starting_module(network, checkpoints, backbone, plan.seed)
    trainer = Trainer(module, replace(plan, trains=network.trains or ("",)))
    last = plan.out / "last.pt"
    if resume:
        trainer.resume(last)
        report(f"resumed at step {trainer.step}")
    elif last.exists():
        raise UsageError(f"{last} exists: add --resume to go on with it, or choose another -o")
    contents = squares(image_files(plan.content), SHEET_SIDE, SHEET_EACH).to(trainer.device)
    styles = squares(image_files(plan.style), SHEET_SIDE, SHEET_EACH).to(trainer.device)
    losses: dict[str, float] = {}
    plan.out.mkdir(parents=True, exist_ok=True)

    def on_progress(progress: Progress) -> None:
        losses.update(progress.losses)
        report(_line(progress))
        entry = {"step": progress.step, "seconds": progress.seconds_per_step, **progress.losses}
        with (plan.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if progress.step % plan.sheet_every == 0 or progress.step == plan.steps:
            with trainer.averaged() as averaged:
                assert isinstance(averaged, TwoImageModule)
                sheet = sheet_of(contents, styles, paint_all(averaged, contents, styles))
            path = plan.out / f"sheet_{progress.step:06d}.png"
            write_image(sheet, path)
            report(f"contact sheet: {path}")

    trainer.run(on_progress)
    weights = plan.out / "weights.safetensors"
    with replace_file(weights) as part:
        part.write_bytes(save(trainer.averaged_state()))
    return Trained(weights, trainer.step, losses)


def _line(progress: Progress) -> str:
    terms = "  ".join(f"{name} {value:.4f}" for name, value in progress.losses.items())
    minutes = progress.seconds_left / 60
    return (
        f"step {progress.step}/{progress.steps}  {terms}  "
        f"{progress.seconds_per_step:.3f} s/step  {minutes:.0f} min left"
    )
