"""Statistics of a film, smoothed over time, until a cut (docs/reference/film.md).

Networks that normalize by statistics of the whole picture repaint all of it when something in it
moves. With an exponential average of the statistics what has not changed is painted as before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Array
from styleexport.core.errors import UsageError
from styleexport.core.tiling_fact import StatisticFact

# Time constant in seconds of the average at a stability of 1: docs/benchmarks/film.md.
LONGEST_S = 1.0
# Distance of the statistics of two frames from which on they are of two scenes.
CUT = 0.3
# A deviation is taken as no smaller than this share of the root mean square of all channels'.
FLOOR = 0.05

Values = NDArray[np.float64]


class SmoothedStatistics:
    """The statistics to paint each frame of a film with; a `Settle` of `TiledPainter`.

    `frame` begins a frame; it is then called with the statistics of each pass, in order.

    Args:
        facts: statistics of the tiling.
        stability: 0 takes each frame's own, 1 averages longest.
        longest: time constant in seconds of the average at 1.

    Attributes:
        cuts: number of cuts so far.

    Raises:
        UsageError: the stability is out of range.
    """

    def __init__(
        self, facts: Sequence[StatisticFact], stability: float, longest: float = LONGEST_S
    ) -> None:
        if not 0 <= stability <= 1:
            raise UsageError(
                f"stability {stability:g} is out of range: type --stability 0 to --stability 1"
            )
        self._facts = {fact.name: fact for fact in facts}
        self._constant_s = stability * longest
        self._averages: dict[str, Values] = {}
        self._first: dict[str, Values] = {}
        self._seconds: float | None = None
        self._weight, self._begins = 1.0, True
        self.cuts = 0

    def frame(self, seconds: float) -> None:
        """Begin a frame.

        Args:
            seconds: when it is shown.
        """
        elapsed = math.inf if self._seconds is None else max(0.0, seconds - self._seconds)
        self._weight = weight(elapsed, self._constant_s)
        self._seconds, self._begins = seconds, True

    def __call__(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Return the statistics to take for those of a pass, [1, length] by name."""
        values = {name: value.astype(np.float64)[0] for name, value in given.items()}
        if self._begins:
            if self._first and distance(self._first, values, self._facts) > CUT:
                self._weight = 1.0
                self.cuts += 1
            self._first, self._begins = values, False
        for name, value in values.items():
            before = self._averages.get(name, value)
            self._averages[name] = before + self._weight * (value - before)
        return {name: self._averages[name].astype(np.float32)[None] for name in values}


def weight(elapsed: float, constant: float) -> float:
    """Return the weight of a frame in the average.

    Args:
        elapsed: seconds since the frame before it.
        constant: time constant of the average in seconds; 0 for none.
    """
    return 1.0 if constant <= 0 else -math.expm1(-elapsed / constant)


def distance(
    before: Mapping[str, Values], after: Mapping[str, Values], facts: Mapping[str, StatisticFact]
) -> float:
    """Return how far apart the statistics of one pass over two frames are.

    The root of the mean over statistics of the mean over channels of (m' - m)² / (s' s) +
    (ln s'/s)², m and s being mean and deviation; of a statistic of means, the squared length of
    the difference over the product of the lengths.
    """
    each = [
        _moments(before[name], after[name])
        if facts[name].kind == "moments"
        else _means(before[name], after[name])
        for name in after
    ]
    return math.sqrt(sum(each) / len(each))


def _moments(before: Values, after: Values) -> float:
    half = len(after) // 2
    own, other = _deviations(before[half:]), _deviations(after[half:])
    moved = (after[:half] - before[:half]) ** 2 / (own * other)
    return float(np.mean(moved + np.log(other / own) ** 2))


def _deviations(variances: Values) -> Values:
    """Return deviations of variances, raised to the floor; 1 where all are 0."""
    variances = np.maximum(variances, 0)
    floor = FLOOR * math.sqrt(variances.mean())
    return np.maximum(np.sqrt(variances), floor) if floor else np.ones_like(variances)


def _means(before: Values, after: Values) -> float:
    lengths = float(np.linalg.norm(before) * np.linalg.norm(after))
    difference = float(np.sum((after - before) ** 2))
    return difference / lengths if lengths else float(difference > 0)
