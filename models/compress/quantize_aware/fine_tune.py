"""Quantization-aware fine-tuning: training a network under the rounding of its int8 files.

The network paints under simulated int8 rounding (`fake_int8`). Its teacher is the float network
from before the training: the loss is the mean squared error to the teacher's paintings and, with a
loss network, the AdaIN objective. The teacher term alone needs no loss network and, for a
fixed-style network, no paintings.
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
from styleexport.core.psnr import pooled_psnr
from styleexport.core.recipe import Int8Recipe, read_recipe
from styleexport.core.types import Role
from styleexport.models.architecture import QUANTIZE_AWARE
from styleexport.models.compress.quantize_aware.fake_int8 import SAMPLE_SIDE, FakeInt8, fake_int8
from styleexport.models.network import RoleModule, StyleNetwork, TwoImageModule
from styleexport.models.networks._open import describe
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.data import CropPool
from styleexport.models.training.loop import Trainer
from styleexport.models.training.objective import Batch, Objective, crop_pool, to_device
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.run import TrainingResult, run_training
from styleexport.models.training.start import StartingPoint

WARM_UP_BATCHES = 32
FROZEN_AFTER = 0.5
DEFAULT_TEACHER_WEIGHT = 1000.0


@dataclass(frozen=True)
class QuantizeAware:
    """Settings of a fine-tuning for int8.

    Attributes:
        recipes: int8 recipes, one per role; a role without one stays in float.
        teacher_weight: weight of the mean squared error to the float network's paintings in 0..1.
            An error of 30 dB is 0.001, so 1000 scales it to order one, as the AdaIN terms are.
    """

    recipes: tuple[Int8Recipe, ...]
    teacher_weight: float = DEFAULT_TEACHER_WEIGHT


def quantize_aware(
    paths: Sequence[Path], teacher_weight: float = DEFAULT_TEACHER_WEIGHT
) -> QuantizeAware:
    """Return the settings of a fine-tuning with recipe files.

    Raises:
        UsageError: a file is no recipe, or the weight is not above 0.
    """
    if not teacher_weight > 0 or math.isinf(teacher_weight):
        raise UsageError(f"--teacher-weight is {teacher_weight}: type a number above 0")
    return QuantizeAware(tuple(read_recipe(path) for path in paths), teacher_weight)


def tuning_plan(plan: TrainingPlan, module: nn.Module) -> TrainingPlan:
    """Return the plan of a fine-tuning: all weights are trained, in float32.

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


class QuantizeAwareObjective(Objective):
    """Distance to the float network's paintings under int8 rounding, plus the AdaIN objective.

    Args:
        module: network to train; it is moved to the plan's device.
        network: description of the network.
        plan: training plan; without ``loss_weights`` the teacher term is the only one.
        settings: recipes, and the weight of the teacher term.

    Raises:
        UsageError: a recipe does not fit the network.
        BadCheckpoint: the loss network is not VGG-16.
    """

    def __init__(
        self, module: nn.Module, network: StyleNetwork, plan: TrainingPlan, settings: QuantizeAware
    ) -> None:
        self.plan, self.settings = plan, settings
        self.device = torch.device(plan.device)
        to_device(module, self.device).eval()
        self.teacher = copy.deepcopy(module).requires_grad_(False)
        side = max(SAMPLE_SIDE, network.min_side)
        self.network: FakeInt8 = fake_int8(
            module, settings.recipes, (network.input_pixels, network.output_pixels), side
        )
        self.student = RoleModule.of(network, self.network, Role.STYLIZE).to(self.device)
        self.reference = RoleModule.of(network, self.teacher, Role.STYLIZE).to(self.device).eval()
        self.adain = AdainObjective(self.network, plan) if plan.loss_weights else None
        self.pools: list[CropPool] = []
        self.pool_states: list[dict[str, Any]] = []
        self.warm = False
        self.first: float | None = None

    def open(self, step: int) -> None:
        """Create the pools of crops; before the first step, observe ranges on some batches."""
        if self.adain is not None:
            self.adain.open(step)
        else:
            folders = [self.plan.content, *filter(None, [self.plan.style])]
            self.pools = [
                crop_pool(self.plan, folder, _no_features, self.plan.seed * 2 + number + step)
                for number, folder in enumerate(folders)
            ]
            for pool, state in zip(self.pools, self.pool_states, strict=False):
                pool.load(state)
        if not self.warm:
            self.warm_up()

    @torch.no_grad()
    def warm_up(self) -> None:
        """Observe the ranges of the float network's activations on 32 batches."""
        self.network.observe()
        self.network.train()
        for _ in range(WARM_UP_BATCHES):
            self.student(*self._inputs(self._draw()))
        self.network.round_values()
        self.warm = True

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the unweighted terms of a new batch; ranges are frozen from half the steps on."""
        if step >= FROZEN_AFTER * self.plan.steps and not self.network.frozen:
            self.network.freeze()
        self.network.train()
        batch = self._draw()
        if self.adain is not None and isinstance(batch, Batch):
            output = self.adain.paint(batch)
            terms = self.adain.losses(batch, output)
        else:
            output, terms = self.student(*self._inputs(batch)), {}
        with torch.no_grad():
            target = self.reference(*self._inputs(batch))
        painting = output[:, :, : target.shape[2], : target.shape[3]].clamp(0, 1)
        terms["teacher"] = nn.functional.mse_loss(painting, target)
        return terms

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        others = self.adain.scales() if self.adain is not None else {}
        return {**others, "teacher": self.settings.teacher_weight}

    def sheet_network(self) -> object:
        """Return the network under int8 rounding, in inference mode."""
        return self.network.eval()

    def state(self) -> dict[str, Any]:
        """Return the rounding with its ranges, the teacher's weights, and the pools of crops."""
        pools = {"pools": [pool.state() for pool in self.pools]}
        return (pools if self.adain is None else self.adain.state()) | {
            "units": self.network.units.state_dict(),
            "frozen": self.network.frozen,
            "warm": self.warm,
            "first_db": self.first,
            "teacher": self.teacher.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.network.units.load_state_dict(state["units"])
        self.network.frozen = bool(state["frozen"])
        self.warm = bool(state["warm"])
        self.first = state["first_db"]
        self.teacher.load_state_dict(state["teacher"])
        self.pool_states = list(state.get("pools", []))
        if self.adain is not None:
            self.adain.load(state)

    def first_db(self, contents: Tensor, styles: Tensor | None) -> float:
        """Return `psnr_db` from before the first step, also in a resumed training."""
        if self.first is None:
            self.first = self.psnr_db(contents, styles)
        return self.first

    @torch.no_grad()
    def psnr_db(self, contents: Tensor, styles: Tensor | None) -> float:
        """Return the PSNR of int8 paintings to the float network's in dB, pooled over pictures.

        Args:
            contents: [N, 3, H, W] in 0..1.
            styles: [M, 3, H, W] in 0..1, used in turn; None for a fixed-style network.
        """
        self.network.eval()
        errors: list[float] = []
        for index, content in enumerate(contents):
            inputs = [content[None]]
            if styles is not None:
                style = styles[index % len(styles)]
                inputs += [style[None], torch.ones(1, device=content.device)]
            difference = self.student(*inputs) - self.reference(*inputs)
            errors.append(float(difference.square().mean()))
        return pooled_psnr(errors)

    def _draw(self) -> Batch | list[Tensor]:
        if self.adain is not None:
            return self.adain.draw()
        return [pool.draw(self.plan.batch)[0] for pool in self.pools]

    def _inputs(self, batch: Batch | list[Tensor]) -> list[Tensor]:
        """Return the inputs of ``stylize``: contents, and styles and strength if it takes them."""
        crops = [batch.content, batch.style] if isinstance(batch, Batch) else batch
        return crops if len(crops) == 1 else [*crops, torch.ones(1, device=self.device)]


def _no_features(crops: Tensor) -> Tensor:
    """Return an empty description of crops [n, 3, H, W], [n, 1]."""
    return torch.zeros(len(crops), 1, device=crops.device)


def _starting_point(
    network: StyleNetwork, checkpoints: Sequence[Path], backbone: Path | None
) -> StartingPoint:
    """Return the weights that a fine-tuning starts from: the shipped ones where none are given."""
    if backbone is not None:
        raise UsageError("fine-tuning starts from a whole network: leave out --backbone")
    paths = list(checkpoints) or network.shipped
    if not paths:
        raise UsageError(
            f"{network.name} has no weights of its own to start from: type --from PATH with "
            f"{network.checkpoints}"
        )
    return StartingPoint(paths)


def fine_tune_network(
    name: str,
    plan: TrainingPlan,
    quantize: QuantizeAware,
    *,
    checkpoints: Sequence[Path] = (),
    backbone: Path | None = None,
    resume: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Fine-tune a network under the rounding of int8 and return the result.

    Args:
        name: network name, or ``package.module:factory``.
        plan: training settings.
        quantize: recipes, and the weight of the teacher term.
        checkpoints: weights files to start from; () for the shipped ones.
        backbone: refused; fine-tuning starts from a whole network.
        resume: whether to continue from ``out/last.pt``.
        progress: receives progress lines.

    Raises:
        UsageError: folders, recipe or network do not fit, or ``out`` holds another training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    network = describe(name)
    start = _starting_point(network, checkpoints, backbone)
    module = start.open(network).module
    plan = tuning_plan(plan, module)
    trainer = Trainer(module, plan, QuantizeAwareObjective(module, network, plan, quantize))
    return run_training(
        network, trainer, start.files, QUANTIZE_AWARE, resume=resume, progress=progress
    )
