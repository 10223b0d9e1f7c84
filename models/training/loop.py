"""Training loop: optimiser steps, running average of the weights, resumable checkpoints."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core.errors import BadCheckpoint
from styleexport.core.files import replace_file
from styleexport.core.input_files import check_input
from styleexport.models.training.objective import Objective, to_device
from styleexport.models.training.plan import TrainingPlan, learning_rate
from styleexport.models.training.run_folder import LAST

AVERAGE_DECAY = 0.999


@dataclass(frozen=True)
class TrainingProgress:
    """Progress report of a training.

    Attributes:
        step: steps done.
        steps: steps in all.
        losses: terms of the loss, means since the last report.
        seconds_per_step: mean wall time of a step since the last report.
    """

    step: int
    steps: int
    losses: dict[str, float]
    seconds_per_step: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the last step at the present pace."""
        return (self.steps - self.step) * self.seconds_per_step


class Trainer:
    """A network in training, with its optimiser and the running average of its weights.

    Args:
        module: network whose weights are trained.
        plan: training plan.
        objective: loss to minimise; it runs ``module``.
        auxiliary: module that is trained too but is not part of the network, such as the maps to a
            teacher's features.
    """

    def __init__(
        self,
        module: nn.Module,
        plan: TrainingPlan,
        objective: Objective,
        auxiliary: nn.Module | None = None,
    ) -> None:
        self.plan = plan
        self.objective = objective
        self.device = torch.device(plan.device)
        self.module = to_device(module, self.device)
        self.step = 0
        self.trained = {
            name: parameter
            for name, parameter in module.named_parameters()
            if name.startswith(plan.trains)
        }
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in self.trained)
        self.average = {name: p.detach().clone() for name, p in self.trained.items()}
        self.auxiliary = nn.Module() if auxiliary is None else to_device(auxiliary, self.device)
        parameters = [*self.trained.values(), *self.auxiliary.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=plan.learning_rate)

    def run(
        self,
        report: Callable[[TrainingProgress], None],
        report_every: int = 50,
        until: int | None = None,
    ) -> None:
        """Train from the present step to the plan's last, with checkpoints as the plan says.

        Args:
            report: receives a progress report every ``report_every`` steps, and at the end.
            report_every: number of steps between reports.
            until: step to stop at before the plan's last; None for the plan's last.

        Raises:
            BadCheckpoint: the loss became NaN; the last checkpoint is kept.
        """
        plan = self.plan
        end = plan.steps if until is None else min(until, plan.steps)
        sums: dict[str, float] = {}
        started = time.perf_counter()
        while self.step < end:
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(plan, self.step)
            terms = self.objective.terms(self.step)
            scales = self.objective.scales()
            loss = torch.stack([scales[name] * term for name, term in terms.items()]).sum()
            if not bool(torch.isfinite(loss)):
                raise BadCheckpoint(
                    f"the loss became {float(loss.detach())} at step {self.step}; lower "
                    f"--learning-rate and go on from {plan.out / LAST} with --resume"
                )
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
            self.optimiser.step()
            self.step += 1
            self._update_average()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(term.detach())
            if self.step % report_every == 0 or self.step == end:
                now = time.perf_counter()
                count = (self.step - 1) % report_every + 1
                means = {name: value / count for name, value in sums.items()}
                report(TrainingProgress(self.step, plan.steps, means, (now - started) / count))
                sums, started = {}, now
            if self.step % plan.checkpoint_every == 0 or self.step == end:
                self.save(plan.out / LAST)

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
    def averaged(self) -> Generator[None]:
        """Give the network its averaged weights inside the block."""
        trained = {name: parameter.detach().clone() for name, parameter in self.trained.items()}
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(self.average[name])
        try:
            yield
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
            "objective": self.objective.state(),
            "beside": self.auxiliary.state_dict(),
        }
        with replace_file(path) as part:
            torch.save(state, part)

    def resume(self, path: Path) -> None:
        """Restore a checkpoint that `save` wrote.

        Raises:
            BadCheckpoint: the checkpoint is damaged or of another training.
        """
        check_input(path, "checkpoint", error=BadCheckpoint, remedy="leave out --resume")
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.module.load_state_dict(state["module"])
            self.optimiser.load_state_dict(state["optimiser"])
            for name in self.average:
                self.average[name].copy_(state["average"][name])
            self.objective.load(state.get("objective", {}))
            self.auxiliary.load_state_dict(state.get("beside", {}))
            self.step = int(state["step"])
        except Exception as error:
            raise BadCheckpoint(
                f"{path} is not a checkpoint of this training: {error}; leave out --resume"
            ) from error
