"""Optimization of a picture by L-BFGS, from a function that gives the loss and its gradient."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.manifest import OptimizationFact

# Maps a picture to its loss and to the gradient, of the picture's shape.
Step = Callable[[Array], tuple[float, Array]]


class Ended(enum.StrEnum):
    """Why an optimization ended."""

    DONE = "done"
    CONVERGED = "converged"
    DIVERGED = "diverged"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Iteration:
    """State after an iteration.

    Attributes:
        number: how many are done.
        total: how many there are to be.
        loss: loss of the picture before it.
        best_loss: lowest loss so far.
        seconds_left: wall time that the others will take.
        best: picture of the lowest loss so far, [1, 3, H, W], not clamped.
    """

    number: int
    total: int
    loss: float
    best_loss: float
    seconds_left: float
    best: Array


@dataclass(frozen=True)
class Optimized:
    """Result of an optimization.

    Attributes:
        picture: picture of the lowest loss, [1, 3, H, W], not clamped.
        loss: its loss.
        losses: loss of each picture that was evaluated, the start first.
        iterations: number of iterations that were made.
        ended: why there are no more.
    """

    picture: Array
    loss: float
    losses: tuple[float, ...]
    iterations: int
    ended: Ended


class _Evaluations:
    """The losses so far, and the best picture."""

    def __init__(self, step: Step, start: Array) -> None:
        self.step = step
        self.losses: list[float] = []
        self.best, self.best_loss = start, math.inf

    def __call__(self, picture: Array) -> tuple[float, Array]:
        """Return the loss and the gradient of a picture, which is kept if it is the best."""
        loss, gradient = self.step(picture)
        if not np.isfinite(gradient).all():
            loss = math.nan
        self.losses.append(loss)
        if loss < self.best_loss:
            self.best, self.best_loss = picture.copy(), loss
        return loss, gradient

    def diverged(self, how: OptimizationFact) -> bool:
        """Whether the last loss is not finite, or the last ones are far above the best."""
        last = self.losses[-how.patience :]
        far = all(loss > how.divergence * self.best_loss for loss in last)
        return not math.isfinite(last[-1]) or (far and len(last) == how.patience)


def optimize(
    step: Step,
    start: Array,
    how: OptimizationFact,
    iterations: int,
    progress: Callable[[Iteration], None] = lambda _: None,
) -> Optimized:
    """Return the picture of the lowest loss of some iterations of L-BFGS.

    An iteration is one of `torch.optim.LBFGS` without a line search: one evaluation, and a step
    along its direction. The first step is a fixed total of the variable's values, spread over all
    pixels: the variable is the picture divided by a number of the size of that total, or its
    curvature would be lost in rounding. The last picture is evaluated too. Ctrl-C ends it with the
    best so far, as do a loss that is not finite and several far above the best.

    Args:
        step: loss and gradient of a picture.
        start: first picture, [1, 3, H, W].
        how: history, length of a step, and what counts as divergence.
        iterations: number of iterations, 1 or more.
        progress: takes the state after each iteration.
    """
    import torch

    evaluate = _Evaluations(step, start)
    scale = np.float32(how.first_change * start.size)
    variable = torch.from_numpy(start / scale).requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [variable], lr=how.learning_rate, max_iter=1, history_size=how.history
    )

    def picture() -> Array:
        return variable.detach().numpy() * scale

    def closure() -> torch.Tensor:
        loss, gradient = evaluate(picture())
        variable.grad = torch.from_numpy(gradient * scale)
        return torch.tensor(loss)

    ended, done, began = Ended.DONE, 0, time.monotonic()
    try:
        for done in range(1, iterations + 1):
            before = variable.detach().clone()
            optimizer.step(closure)
            if evaluate.diverged(how):
                ended = Ended.DIVERGED
                break
            left = (time.monotonic() - began) / done * (iterations - done)
            loss, best_loss = evaluate.losses[-1], evaluate.best_loss
            progress(Iteration(done, iterations, loss, best_loss, left, evaluate.best))
            if torch.equal(before, variable):
                ended = Ended.CONVERGED
                break
        if ended is Ended.DONE:
            evaluate(picture())
            if evaluate.diverged(how):
                ended = Ended.DIVERGED
    except KeyboardInterrupt:
        ended = Ended.STOPPED
    return Optimized(evaluate.best, evaluate.best_loss, tuple(evaluate.losses), done, ended)
