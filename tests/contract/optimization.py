"""Minimization problems with the iterates of ``torch.optim.LBFGS``, which every host must repeat.

All problems are sums over the variables x of a loss that a page of code computes in any language,
u = x − centre:

    Σ curvature/2 u² + quartic/4 u⁴ + root √(1 + u²)  +  coupling/2 Σ (x[i+1] − x[i])²  +  offset

Torch computes them in float64; hosts keep their vectors in float32. `docs/reference/l-bfgs.md`
specifies the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

VARIABLES = 12
ITERATIONS = 20
HISTORY = 10
LEARNING_RATE = 1.0
DIVERGENCE, PATIENCE = 100.0, 3
# Of a host's iterates, relative to the larger of 1 and the value.
TOLERANCE, DIVERGING_TOLERANCE = 1e-4, 1e-3
# Fewer than the tolerances need would be wrong; more would differ between builds of torch.
DIGITS = 6
TERMS = ("curvature", "centre", "quartic", "root")

Case = dict[str, Any]


def optimization() -> list[Case]:
    """Return the problems with the iterates, the losses, the best iterate and how it ends."""
    return [case(problem) for problem in problems()]


def problems() -> Iterable[Case]:
    """Problems whose terms are a value for each variable."""
    index = torch.arange(VARIABLES, dtype=torch.float64)
    zeros, sign = torch.zeros_like(index), 1 - 2 * (index % 2)
    wave = sign * (1 + index / 8)
    yield _problem(
        "convex quartic",
        curvature=2 ** (index / 2),
        centre=wave / 2,
        quartic=torch.ones_like(index),
        coupling=0.5,
        start=zeros,
    )
    yield _problem(
        "ill-conditioned",
        curvature=2 ** torch.arange(-6, VARIABLES - 6, dtype=torch.float64),
        centre=wave / 2,
        coupling=0.125,
        start=zeros,
    )
    # Negative curvature along a step, of the first two and of the seventh: y·s ≤ 1e-10.
    for name, start in (("nonconvex at the start", wave / 8), ("nonconvex later", wave / 6)):
        yield _problem(
            name,
            curvature=-torch.ones_like(index),
            quartic=2 ** (index / 4),
            coupling=0.125,
            offset=10.0,
            start=start,
        )
    # The gradient saturates, so that the secant of two iterates points too far.
    yield _problem("diverging", root=1 + index / 8, start=1.5 * sign * (1 + index / 16))


def _problem(name: str, *, start: Tensor, **terms: Tensor | float) -> Case:
    zeros = torch.zeros(VARIABLES, dtype=torch.float64)
    vectors = {term: terms.get(term, zeros) for term in TERMS}
    numbers = {term: terms.get(term, 0.0) for term in ("coupling", "offset")}
    return {"name": name, **vectors, **numbers, "start": start}


def loss_of(problem: Case, x: Tensor) -> Tensor:
    """Return the loss at x, a vector of the problem's length."""
    curvature, centre, quartic, root = (problem[term].to(x.dtype) for term in TERMS)
    u, steps = x - centre, x[1:] - x[:-1]
    own = curvature / 2 * u**2 + quartic / 4 * u**4 + root * (1 + u**2).sqrt()
    return own.sum() + problem["coupling"] / 2 * (steps**2).sum() + problem["offset"]


def minimize(
    problem: Case, dtype: torch.dtype = torch.float64, loss: Callable[..., Tensor] = loss_of
) -> tuple[list[Tensor], list[float]]:
    """Return the iterates and losses of torch, one evaluation an iteration.

    The last iterate is evaluated too: there is one more of each than there are iterations.
    """
    x = problem["start"].to(dtype).clone().requires_grad_()
    optimizer = torch.optim.LBFGS([x], lr=LEARNING_RATE, max_iter=1, history_size=HISTORY)
    iterates: list[Tensor] = []
    losses: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(problem, x)
        value.backward()
        return value.detach()

    for _ in range(ITERATIONS + 1):
        iterates.append(x.detach().clone())
        losses.append(float(optimizer.step(closure)))
    return iterates, losses


def case(problem: Case) -> Case:
    """Return a problem as JSON, with what must come out of it."""
    iterates, losses = minimize(problem)
    end = _end(losses)
    seen = losses[: end + 1]
    return {
        **{
            key: value.tolist() if isinstance(value, Tensor) else value
            for key, value in problem.items()
        },
        "history": HISTORY,
        "learning_rate": LEARNING_RATE,
        "divergence": DIVERGENCE,
        "patience": PATIENCE,
        # A run that diverges magnifies what float32 rounds.
        "tolerance": DIVERGING_TOLERANCE if end < ITERATIONS else TOLERANCE,
        "losses": [_rounded(loss) for loss in seen],
        "iterates": [[_rounded(value) for value in x.tolist()] for x in iterates[: end + 1]],
        "best": min(range(len(seen)), key=seen.__getitem__),
        "diverges": end < ITERATIONS,
    }


def _end(losses: list[float]) -> int:
    """Return the iteration whose loss ends the run: the last of those far above, or of all."""
    far = 0
    for number, loss in enumerate(losses[1:], 1):
        far = far + 1 if loss > DIVERGENCE * min(losses[:number]) else 0
        if far == PATIENCE:
            return number
    return len(losses) - 1


def _rounded(value: float) -> float:
    # Adding zero turns -0.0 into 0.0.
    return round(value, DIGITS) + 0.0
