"""Numbers of iterations of a whitening, from features of real pictures.

A style's root B is compared with that of eigenvalues in float64, and the features f that a content
x and the true root give with those of eigenvalues and singular values:

    style:    20·log10(‖B‖ / ‖B - B'‖)        content:  20·log10(‖f‖ / ‖f - f'‖)

The least number is sought that leaves the worst picture `ENOUGH` decibels, and a few steps are
added for other pictures: each step reaches eigenvalues 2.25 times smaller. Where float32 does not
come so far, the number is that of `Steps`: more of them amplify rounding along directions that the
features do not have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import Steps, covariance, exact_roots
from styleexport.models.transforms.wct import centred_features, style_root

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

Styled = Callable[[Tensor, Tensor, Tensor, Steps], Tensor]
Exact = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SeenFeatures:
    """Features of a content and of a style at one level, [1, C, H, W] each, float32."""

    content: Tensor
    style: Tensor


@dataclass(frozen=True)
class Settled:
    """Numbers of steps, and the decibels that they leave on the worst picture."""

    steps: Steps
    style_db: float
    content_db: float


def settled(
    seen: Sequence[SeenFeatures], styled: Styled, exact: Exact, *, has_factor: bool
) -> Settled:
    """Return the numbers of steps of one level.

    Args:
        seen: features of pairs of pictures.
        styled: maps features, a code [1, C + C²], a strength [1] and numbers of steps to features.
        exact: maps a style's root and centred features to styled ones less their mean, in float64.
        has_factor: whether an orthogonal factor is computed too.
    """
    styles = [centred_features(pair.style)[1] for pair in seen]
    true = [exact_roots(covariance(style.double()), ridge=0.0)[0] for style in styles]
    style, style_db = _least(
        STYLE_STEPS,
        lambda n: min(
            _snr_db(style_root(x, n).double(), root) for x, root in zip(styles, true, strict=True)
        ),
        STYLE_MARGIN,
        RIDGE_DB,
        Steps.style,
    )
    contents: list[tuple[Tensor, Tensor, Tensor]] = []
    for pair, root in zip(seen, true, strict=True):
        centred = centred_features(pair.content)[1]
        code = torch.cat([torch.zeros(1, centred.shape[1]), root.float().flatten(1)], 1)
        shaped = centred.reshape(pair.content.shape)
        contents.append((shaped, code, exact(root, centred.double())))

    def worst(steps: Steps) -> float:
        one = torch.ones(1)
        return min(
            _snr_db(styled(x, code, one, steps).flatten(2).double(), expected)
            for x, code, expected in contents
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
