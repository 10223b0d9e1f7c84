"""The training loop: steps, checkpoints that resume, and contact sheets to look at."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.files import replace_file
from styleexport.models.network import TwoImageModule
from styleexport.models.training.data import CropPool, image_files
from styleexport.models.training.losses import (
    CONTENT_LEVELS,
    LossWeights,
    content_distance,
    loss_network,
    style_distance,
    style_statistics,
    total_variation,
)

AVERAGE_DECAY = 0.999


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides a training.

    Attributes:
        content: folders of photographs.
        style: folders of paintings.
        loss_weights: ImageNet VGG-16 weights, the loss network.
        out: folder for checkpoints and contact sheets.
        steps: in all, a resumed training's included.
        batch: pairs a step.
        crop: side of the crops in pixels.
        learning_rate: at its peak; warmed up over 500 steps, then cosine to 1 %.
        weights: of the loss terms.
        trains: prefixes of the parameters that change.
        seed: of weights and crops.
        device: ``cpu`` or ``cuda``.
        bfloat16: autocast, about twice as fast where the processor has bf16 arithmetic.
        slots: crops kept of each kind.
        reuse: how often a crop is used before a fresh one takes its place.
        checkpoint_every: steps.
        sheet_every: steps.
    """

    content: tuple[Path, ...]
    style: tuple[Path, ...]
    loss_weights: Path
    out: Path
    steps: int = 20_000
    batch: int = 4
    crop: int = 128
    learning_rate: float = 1e-3
    weights: LossWeights = field(default_factory=LossWeights)
    trains: tuple[str, ...] = ("",)
    seed: int = 0
    device: str = "cpu"
    bfloat16: bool = True
    slots: int = 768
    reuse: int = 8
    checkpoint_every: int = 500
    sheet_every: int = 1_000


@dataclass(frozen=True)
class Progress:
    """One moment of a training; losses are means since the last report."""

    step: int
    steps: int
    losses: dict[str, float]
    seconds_per_step: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the last step at the present pace."""
        return (self.steps - self.step) * self.seconds_per_step


def pick_device(name: str) -> str:
    """Return ``cuda`` or ``cpu``; ``auto`` takes CUDA where there is one.

    Raises:
        UsageError: CUDA was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device here: type --device cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def has_bfloat16(device: str) -> bool:
    """Return whether the device multiplies bf16 natively."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16") or flags.get("bf16"))


def learning_rate(plan: TrainingPlan, step: int) -> float:
    """Return the rate of one step: a linear warm-up, then a cosine to 1 % of the peak."""
    warm = min(1.0, (step + 1) / min(500, max(1, plan.steps // 10)))
    fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / plan.steps)))
    return plan.learning_rate * warm * fall


M = TypeVar("M", bound=nn.Module)


def _placed(module: M, device: torch.device) -> M:
    """Return the module on a device in channels-last order, in which bf16 convolutions are fast."""
    return module.to(device).to(memory_format=torch.channels_last)  # pyright: ignore


class Trainer:
    """A network in training: its optimiser, its running average and its crops."""

    def __init__(self, module: nn.Module, plan: TrainingPlan) -> None:
        if not isinstance(module, TwoImageModule):
            raise UsageError(
                "the AdaIN objective trains two-image networks; this one has a fixed style"
            )
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.device = torch.device(plan.device)
        self.module = _placed(module, self.device)
        self.features = _placed(loss_network(plan.loss_weights), self.device)
        self.widths = self.features.widths
        self.step = 0
        self.trained = {
            name: parameter
            for name, parameter in module.named_parameters()
            if name.startswith(plan.trains)
        }
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in self.trained)
        self.average = {name: p.detach().clone() for name, p in self.trained.items()}
        self.optimiser = torch.optim.Adam(self.trained.values(), lr=plan.learning_rate)

    def _pool(
        self, folders: tuple[Path, ...], describe: Callable[[Tensor], Tensor], seed: int
    ) -> CropPool:
        plan = self.plan
        return CropPool(
            image_files(folders),
            plan.crop,
            describe,
            slots=max(plan.slots, plan.batch),
            reuse=plan.reuse,
            seed=seed,
            device=self.device,
            scales=(1.0, 2.0),
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16)

    @torch.no_grad()
    def _describe_content(self, crops: Tensor) -> Tensor:
        with self._autocast():
            features = self.features(crops.to(memory_format=torch.channels_last))
        return torch.cat([f.to(torch.bfloat16).flatten(1) for f in features[-CONTENT_LEVELS:]], 1)

    @torch.no_grad()
    def _describe_style(self, crops: Tensor) -> Tensor:
        with self._autocast():
            return style_statistics(self.features(crops.to(memory_format=torch.channels_last)))

    def losses(
        self, content: Tensor, described: Tensor, style: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """Return each term for one batch; `described` and `target` are the pools' rows."""
        weights, net = self.plan.weights, self.module
        assert isinstance(net, TwoImageModule)
        one = torch.ones(1, device=self.device)
        with self._autocast():
            output = net.transfer(content, net.encode(style), one)
            features = self.features(output.clamp(0, 1))
        outside = (output - output.clamp(0, 1)).float().abs().mean()
        measured = style_statistics(features)
        terms = {
            "style": style_distance(measured, target, self.widths).mean(),
            "content": content_distance(features[-CONTENT_LEVELS:], described, target).mean(),
            "outside": outside,
        }
        if weights.variation:
            terms["variation"] = total_variation(output.float())
        if weights.identity:
            some = content[: max(1, len(content) // 4)]
            with self._autocast():
                same = net.transfer(some, net.encode(some), one)
            terms["identity"] = (same.float() - some).abs().mean()
        return terms

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms."""
        weights = self.plan.weights
        scale = {
            "style": weights.style,
            "content": weights.content,
            "identity": weights.identity,
            "variation": weights.variation,
            "outside": 10.0,
        }
        return torch.stack([scale[name] * term for name, term in terms.items()]).sum()

    def run(self, report: Callable[[Progress], None], report_every: int = 50) -> None:
        """Train from the present step to the plan's last, saving as the plan says.

        Raises:
            BadCheckpoint: the loss became NaN; the last checkpoint stands.
        """
        plan = self.plan
        contents = self._pool(plan.content, self._describe_content, plan.seed * 2 + self.step)
        styles = self._pool(plan.style, self._describe_style, plan.seed * 2 + 1 + self.step)
        sums: dict[str, float] = {}
        started = time.perf_counter()
        while self.step < plan.steps:
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(plan, self.step)
            content, described = contents.draw(plan.batch)
            style, target = styles.draw(plan.batch)
            terms = self.losses(content, described, style, target)
            loss = self.total(terms)
            if not bool(torch.isfinite(loss)):
                raise BadCheckpoint(
                    f"the loss became {float(loss.detach())} at step {self.step}; lower "
                    f"--learning-rate and go on from {plan.out / 'last.pt'} with --resume"
                )
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
            self.optimiser.step()
            self.step += 1
            self._update_average()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(term.detach())
            if self.step % report_every == 0 or self.step == plan.steps:
                now = time.perf_counter()
                count = (self.step - 1) % report_every + 1
                means = {name: value / count for name, value in sums.items()}
                report(Progress(self.step, plan.steps, means, (now - started) / count))
                sums, started = {}, now
            if self.step % plan.checkpoint_every == 0 or self.step == plan.steps:
                self.save(plan.out / "last.pt")

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        for name, parameter in self.trained.items():
            self.average[name].lerp_(parameter, 1 - decay)

    def averaged_state(self) -> dict[str, Tensor]:
        """Return the network's state dict with the running average of the trained weights."""
        state = {
            key: value.detach().cpu().contiguous()
            for key, value in self.module.state_dict().items()
        }
        state |= {name: value.cpu().contiguous() for name, value in self.average.items()}
        return state

    @contextlib.contextmanager
    def averaged(self) -> Generator[nn.Module]:
        """Yield the network with its averaged weights, then put the trained ones back."""
        trained = {name: parameter.detach().clone() for name, parameter in self.trained.items()}
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(self.average[name])
        try:
            yield self.module
        finally:
            with torch.no_grad():
                for name, parameter in self.trained.items():
                    parameter.copy_(trained[name])

    def save(self, path: Path) -> None:
        """Write everything that `resume` needs, whole or not at all."""
        state = {
            "step": self.step,
            "module": self.module.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        with replace_file(path) as part:
            torch.save(state, part)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint that `save` wrote.

        Raises:
            BadCheckpoint: another network's or damaged.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.module.load_state_dict(state["module"])
            self.optimiser.load_state_dict(state["optimiser"])
            for name in self.average:
                self.average[name].copy_(state["average"][name])
            self.step = int(state["step"])
        except Exception as error:
            raise BadCheckpoint(
                f"{path} is not a checkpoint of this training: {error}; leave out --resume"
            ) from error
