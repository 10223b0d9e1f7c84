"""Quantization-aware fine-tuning: the network learns to paint well under the rounding of int8.

The network paints under the rounding of its int8 files (`fake_int8`). It is held to its teacher,
its own float self from before the training, by the mean squared error of the paintings; with a loss
network, to the AdaIN objective too. The teacher's term alone needs no loss network, and for a
fixed-style network no paintings.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.core.recipe import Int8Recipe, read_recipe
from styleexport.core.types import Role
from styleexport.models.architecture import QUANTIZE_AWARE
from styleexport.models.compress.quantize_aware.fake_int8 import SAMPLE_SIDE, FakeInt8, fake_int8
from styleexport.models.network import RoleModule, StyleNetwork, TwoImageModule
from styleexport.models.networks._open import read_module
from styleexport.models.training.data import CropPool
from styleexport.models.training.loop import Trainer
from styleexport.models.training.objective import AdainObjective, Batch, crop_pool, placed
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.run import Trained, described, run_training

WARM_UP_BATCHES = 32
FROZEN_AFTER = 0.5
DEFAULT_TEACHER_WEIGHT = 1000.0


@dataclass(frozen=True)
class QuantizeAware:
    """How a network is fine-tuned for int8.

    Attributes:
        recipes: one a role; a role without one stays in float.
        teacher_weight: of the mean squared error to the float network, pictures in 0..1. An error
            of 30 dB is 0.001, so 1000 puts it beside the AdaIN terms, which are of order one.
    """

    recipes: tuple[Int8Recipe, ...]
    teacher_weight: float = DEFAULT_TEACHER_WEIGHT


def quantize_aware(
    paths: Sequence[Path], teacher_weight: float = DEFAULT_TEACHER_WEIGHT
) -> QuantizeAware:
    """Return the fine-tuning that recipe files ask for.

    Raises:
        UsageError: a file is no recipe, or the weight holds the network to nothing.
    """
    if not teacher_weight > 0 or math.isinf(teacher_weight):
        raise UsageError(f"--teacher-weight is {teacher_weight}: type a number above 0")
    return QuantizeAware(tuple(read_recipe(path) for path in paths), teacher_weight)


def tuning_plan(plan: TrainingPlan, module: nn.Module) -> TrainingPlan:
    """Return the plan of a fine-tuning: every weight is trained, in float32.

    Raises:
        UsageError: the plan's pictures do not fit the network, or it asks for bf16.
    """
    if plan.bfloat16:
        raise UsageError("bf16 rounds as coarsely as int8 does: type --arithmetic fp32")
    two_images = isinstance(module, TwoImageModule)
    if two_images and not plan.style:
        raise UsageError("a two-image network is tuned on paintings too: type --style FOLDER")
    if not two_images and (plan.style or plan.loss_weights):
        raise UsageError(
            "a fixed-style network is tuned to its own float paintings: leave out --style and "
            "--loss-weights"
        )
    return replace(plan, trains=("",))


class QuantizeAwareObjective:
    """The distance to the float network under int8's rounding, and the AdaIN objective with it.

    Args:
        module: the network, on its device.
        network: its description.
        plan: of the training; without ``loss_weights`` the teacher's term is the only one.
        how: recipes, and the weight of the teacher's term.

    Raises:
        UsageError: a recipe does not fit the network.
        BadCheckpoint: the loss network is not VGG-16.
    """

    def __init__(
        self, module: nn.Module, network: StyleNetwork, plan: TrainingPlan, how: QuantizeAware
    ) -> None:
        module.eval()
        self.plan, self.how = plan, how
        self.device = torch.device(plan.device)
        self.teacher = copy.deepcopy(module).requires_grad_(False)
        side = max(SAMPLE_SIDE, network.min_side)
        self.painter: FakeInt8 = fake_int8(module, how.recipes, network.pixel_range, side)
        self.student = RoleModule(self.painter, Role.STYLIZE, network.pixel_range)
        self.reference = RoleModule(self.teacher, Role.STYLIZE, network.pixel_range).eval()
        self.adain = AdainObjective(self.painter, plan) if plan.loss_weights else None
        self.pools: list[CropPool] = []
        self.warm = False
        self.first: float | None = None

    def open(self, step: int) -> None:
        """Make the pools of crops; before the first step, observe ranges on some batches."""
        if self.adain is not None:
            self.adain.open(step)
        else:
            folders = [self.plan.content, *filter(None, [self.plan.style])]
            self.pools = [
                crop_pool(self.plan, folder, _nothing, self.plan.seed * 2 + number + step)
                for number, folder in enumerate(folders)
            ]
        if not self.warm:
            self.warm_up()

    @torch.no_grad()
    def warm_up(self) -> None:
        """Observe the ranges of the float network's values on a few batches."""
        self.painter.observe()
        self.painter.train()
        for _ in range(WARM_UP_BATCHES):
            self.student(*self._inputs(self._draw()))
        self.painter.round_values()
        self.warm = True

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch; from half the steps on, ranges stand still."""
        if step >= FROZEN_AFTER * self.plan.steps and not self.painter.frozen:
            self.painter.freeze()
        self.painter.train()
        batch = self._draw()
        if self.adain is not None and isinstance(batch, Batch):
            output = self.adain.paint(batch)
            terms = self.adain.losses(batch, output)
        else:
            output, terms = self.student(*self._inputs(batch)), {}
        with torch.no_grad():
            wanted = self.reference(*self._inputs(batch))
        painted = output[:, :, : wanted.shape[2], : wanted.shape[3]].clamp(0, 1)
        terms["teacher"] = nn.functional.mse_loss(painted, wanted)
        return terms

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        others = self.adain.scales() if self.adain is not None else {}
        return {**others, "teacher": self.how.teacher_weight}

    def shown(self) -> object:
        """Return the network under int8's rounding, its ranges standing still."""
        return self.painter.eval()

    def state(self) -> dict[str, Any]:
        """Return the rounding with its ranges, and the teacher."""
        return {
            "units": self.painter.units.state_dict(),
            "frozen": self.painter.frozen,
            "warm": self.warm,
            "first_db": self.first,
            "teacher": self.teacher.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.painter.units.load_state_dict(state["units"])
        self.painter.frozen = bool(state["frozen"])
        self.warm = bool(state["warm"])
        self.first = state["first_db"]
        self.teacher.load_state_dict(state["teacher"])

    def first_db(self, contents: Tensor, styles: Tensor | None) -> float:
        """Return what `psnr_db` returned before the first step; a resumed training remembers."""
        if self.first is None:
            self.first = self.psnr_db(contents, styles)
        return self.first

    @torch.no_grad()
    def psnr_db(self, contents: Tensor, styles: Tensor | None) -> float:
        """Return the PSNR of int8's paintings to the float network's, pooled over pictures.

        Args:
            contents: [N, 3, H, W] in 0..1.
            styles: [M, 3, H, W] in 0..1, taken in turn; None for a fixed-style network.
        """
        self.painter.eval()
        errors: list[float] = []
        for index, content in enumerate(contents):
            inputs = [content[None]]
            if styles is not None:
                style = styles[index % len(styles)]
                inputs += [style[None], torch.ones(1, device=content.device)]
            difference = self.student(*inputs) - self.reference(*inputs)
            errors.append(float(difference.square().mean()))
        return -10 * math.log10(max(sum(errors) / len(errors), 1e-12))

    def _draw(self) -> Batch | list[Tensor]:
        if self.adain is not None:
            return self.adain.draw()
        return [pool.draw(self.plan.batch)[0] for pool in self.pools]

    def _inputs(self, batch: Batch | list[Tensor]) -> list[Tensor]:
        """Return what ``stylize`` takes."""
        crops = [batch.content, batch.style] if isinstance(batch, Batch) else batch
        return crops if len(crops) == 1 else [*crops, torch.ones(1, device=self.device)]


def _nothing(crops: Tensor) -> Tensor:
    """Describe crops to no loss network."""
    return torch.zeros(len(crops), 1, device=crops.device)


def quantize_aware_objective(
    module: nn.Module, network: StyleNetwork, plan: TrainingPlan, how: QuantizeAware
) -> QuantizeAwareObjective:
    """Return the objective of a fine-tuning, its network on the plan's device."""
    placed(module, torch.device(plan.device))
    return QuantizeAwareObjective(module, network, plan, how)


def tuned_module(
    network: StyleNetwork, checkpoints: Sequence[Path], backbone: Path | None
) -> nn.Module:
    """Return the module that a fine-tuning starts from: the shipped weights, if no others.

    Raises:
        UsageError: the network has no weights, or a backbone was given.
        BadCheckpoint: weights of another network.
    """
    if backbone is not None:
        raise UsageError("fine-tuning starts from a whole network: leave out --backbone")
    paths = list(checkpoints) or ([network.weights] if network.weights else [])
    if not paths:
        raise UsageError(
            f"{network.name} has no weights of its own to start from: type --from PATH with "
            f"{network.checkpoints}"
        )
    return read_module(network, paths)


def fine_tune_network(
    name: str,
    plan: TrainingPlan,
    quantize: QuantizeAware,
    *,
    checkpoints: Sequence[Path] = (),
    backbone: Path | None = None,
    resume: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Fine-tune a network under the rounding of int8 and return where its weights are.

    Args:
        name: network name, or ``package.module:factory``.
        plan: training settings.
        quantize: recipes, and the weight of the teacher's term.
        checkpoints: weights to start from; the shipped ones if there are none.
        backbone: refused; fine-tuning starts from a whole network.
        resume: whether to continue from ``out/last.pt``.
        progress: receives progress lines.

    Raises:
        UsageError: folders, recipe or network do not fit, or ``out`` holds another training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    network = described(name)
    module = tuned_module(network, checkpoints, backbone)
    plan = tuning_plan(plan, module)
    objective = quantize_aware_objective(module, network, plan, quantize)
    trainer = Trainer(module, plan, objective)
    return run_training(
        network, trainer, checkpoints, QUANTIZE_AWARE, resume=resume, progress=progress
    )
