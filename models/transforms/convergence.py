"""Numbers of iterations of a whitening, from covariances of real pictures.

A style's root B is compared with that of eigenvalues, and a content's matrix M with the one that
eigenvalues and singular values give in float64, on features x of the measured covariance S:

    style:    20·log10(‖B‖ / ‖B - B'‖)
    content:  20·log10(‖M·S^(1/2)‖ / ‖(M - M')·S^(1/2)‖),    (M - M')·S·(M - M')ᵀ = cov((M - M')·x)

so that a direction counts as much as pictures have of it. The least number is sought that leaves
the worst picture `ENOUGH` decibels, and a few steps are added for other pictures: each step
reaches eigenvalues 2.25 times smaller. Where float32 does not come so far, as with fewer pixels
than channels, the number is that of `Steps`: more of them amplify rounding along directions that
the features do not have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import Steps, exact_roots, roots

# Five levels after one another stay above 80 dB of the picture's range.
ENOUGH = 90.0
STYLE_STEPS = range(10, 23)
CONTENT_STEPS = range(10, 25)
FACTOR_STEPS = range(5, 12)
# What is as good where steps were added.
AS_GOOD_DB = 89.0
# A style is encoded once, and one with fewer colours than those measured is common.
STYLE_MARGIN, CONTENT_MARGIN, FACTOR_MARGIN = 4, 2, 1
# What the ridge alone leaves of a style's root, whose small eigenvalues it raises.
RIDGE_DB = 55.0

Matrix = Callable[[Tensor, Tensor, Steps], Tensor]
ExactMatrix = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Covariances:
    """Covariances of a content's and a style's features at one level, [1, C, C] each."""

    content: Tensor
    style: Tensor


@dataclass(frozen=True)
class Settled:
    """Numbers of steps, and the decibels that they leave on the worst picture."""

    steps: Steps
    style_db: float
    content_db: float


def settled(
    seen: Sequence[Covariances], matrix: Matrix, exact: ExactMatrix, *, has_factor: bool
) -> Settled:
    """Return the numbers of steps of one level.

    Args:
        seen: covariances of pairs of pictures.
        matrix: maps Ss^(1/2) and Sc to M, in float32.
        exact: the same in float64, by eigenvalues.
        has_factor: whether an orthogonal factor is computed too.
    """
    styles = [(pair.style, exact_roots(pair.style, ridge=0.0)[0]) for pair in seen]
    style, style_db = _least(
        STYLE_STEPS,
        lambda n: min(_snr_db(roots(s, iterations=n)[0].double(), root) for s, root in styles),
        STYLE_MARGIN,
        RIDGE_DB,
        Steps.style,
    )
    contents = [
        (
            root.to(pair.content.dtype),
            pair.content,
            exact(root, pair.content.double()),
            exact_roots(pair.content, ridge=0.0)[0],
        )
        for pair, (_, root) in zip(seen, styles, strict=True)
    ]

    def worst(steps: Steps) -> float:
        return min(
            _snr_db(matrix(b, s, steps).double() @ weights, m @ weights)
            for b, s, m, weights in contents
        )

    steps = Steps(style=style, factor=max(FACTOR_STEPS))
    content, db = _least(
        CONTENT_STEPS,
        lambda n: worst(replace(steps, content=n)),
        CONTENT_MARGIN,
        AS_GOOD_DB,
        Steps.content,
    )
    steps = replace(steps, content=content)
    if not has_factor:
        return Settled(replace(steps, factor=0), style_db, db)
    factor, db = _least(
        FACTOR_STEPS,
        lambda n: worst(replace(steps, factor=n)),
        FACTOR_MARGIN,
        AS_GOOD_DB,
        Steps.factor,
    )
    return Settled(replace(steps, factor=factor), style_db, db)


def _least(
    counts: Iterable[int],
    measure: Callable[[int], float],
    margin: int,
    least_db: float,
    default: int,
) -> tuple[int, float]:
    """Return the number of steps, and its decibels.

    Args:
        counts: numbers to try, rising.
        measure: returns the decibels of a number.
        margin: steps to add to one that is enough, where they leave ``least_db``.
        least_db: decibels.
        default: number where none is enough.
    """
    for count in counts:
        if (db := measure(count)) >= ENOUGH:
            more = measure(count + margin)
            return (count + margin, more) if more >= least_db else (count, db)
    return default, measure(default)


def _snr_db(computed: Tensor, expected: Tensor) -> float:
    error = float(torch.linalg.norm(computed - expected))
    signal = float(torch.linalg.norm(expected))
    if not math.isfinite(error):
        return -math.inf
    return 200.0 if error == 0 else 20 * math.log10(max(signal, 1e-30) / error)
