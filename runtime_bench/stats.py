"""Statistics of latency samples, the one implementation behind all tables and pages.

Rounds, not samples, are what varies independently: `bootstrap` resamples them, and the tests here
compare them.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from styleexport.runtime_bench.bootstrap import (
    CONFIDENCE,
    SEED,
    Floats,
    mean_ratio_interval,
    median_interval,
    ratio_interval,
)

Rounds = tuple[tuple[int, ...], ...]
Verdict = Literal["faster", "slower", "cannot be told apart"]
Test = Literal["sign-flip", "permutation", "t", "none"]

# Bounds the cost of a report of thousands of rounds: neighbours are joined.
MAX_ROUNDS = 200
# Fewer rounds say nothing about how rounds differ.
MIN_ROUNDS = 3
# Smallest trend worth reporting, relative to the median.
DRIFT = 0.03


@dataclass(frozen=True)
class Summary:
    """Statistics of the samples of one cell.

    Attributes:
        count: number of samples.
        rounds: number of rounds with samples.
        median_ns: median of all samples.
        low_ns: lower end of the 95 % bootstrap interval of the median; None, as ``high_ns``, where
            the rounds are too few for one: less than three, or so unlike that it would reach 0.
        high_ns: upper end of the 95 % bootstrap interval of the median.
        p90_ns: 90th percentile.
        p99_ns: 99th percentile.
        min_ns: minimum.
        mean_ns: arithmetic mean.
        iqr_ns: interquartile range.
        outliers: number of samples beyond Tukey's fences, 1.5 interquartile ranges from the
            quartiles; they count in every other figure.
        drift: rise from the first round to the last of a line through the rounds' medians, as a
            share of the median; 0 for fewer than three rounds.
        drifts: whether the drift is more than 3 % and one half of the rounds is above the other.
    """

    count: int
    rounds: int
    median_ns: float
    low_ns: float | None
    high_ns: float | None
    p90_ns: float
    p99_ns: float
    min_ns: int
    mean_ns: float
    iqr_ns: float
    outliers: int
    drift: float
    drifts: bool


@dataclass(frozen=True)
class LatencyComparison:
    """The latency of one cell relative to another's.

    Attributes:
        before_ns: median of the first cell.
        after_ns: median of the second cell.
        ratio: after / before; below 1 the second is faster.
        low: lower end of the 95 % interval of the ratio.
        high: upper end of the 95 % interval of the ratio.
        p_value: two-sided p-value.
        test: test that gave the p-value; ``none`` for fewer than three rounds.
        paired: whether the rounds of both alternated, so that they are compared one by one.
        verdict: whether the second is faster or slower; both test and interval must agree.
        noisy: whether the interval is wider than the difference.
    """

    before_ns: float
    after_ns: float
    ratio: float
    low: float
    high: float
    p_value: float
    test: Test
    paired: bool
    verdict: Verdict
    noisy: bool

    @property
    def too_few(self) -> bool:
        """Whether the rounds are too few for an interval."""
        return self.test == "none"


@dataclass(frozen=True)
class GeometricMean:
    """Geometric mean of the ratios of several cells: the change of a suite as a whole.

    Attributes:
        cells: number of cells.
        ratio: mean of after / before; below 1 the second is faster.
        low: lower end of the 95 % interval; None, as ``high``, where a cell has fewer than three
            rounds.
        high: upper end of the 95 % interval.
    """

    cells: int
    ratio: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> Verdict:
        """Whether the suite is faster or slower beyond noise."""
        if self.low is None or self.high is None or self.low <= 1 <= self.high:
            return "cannot be told apart"
        return "slower" if self.ratio > 1 else "faster"


def median(values: Sequence[float]) -> float:
    """Return the median; the mean of the middle two of an even number.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no values to take a median of")
    return float(np.median(np.asarray(values, dtype=np.float64)))


def summarise(rounds_ns: Rounds) -> Summary:
    """Return the statistics of a cell's samples.

    Args:
        rounds_ns: samples of each round in ns; empty rounds are skipped.

    Raises:
        ValueError: there is no sample.
    """
    rounds = _arrays(rounds_ns)
    samples = np.concatenate(rounds)
    quarter, half, three, p90, p99 = np.percentile(samples, (25, 50, 75, 90, 99)).tolist()
    fence = 1.5 * (three - quarter)
    low, high = median_interval(rounds)
    enough = len(rounds) >= MIN_ROUNDS and (low > 0 or half == low == 0)
    drift = _drift(rounds, half)
    return Summary(
        count=samples.size,
        rounds=sum(map(bool, rounds_ns)),
        median_ns=float(half),
        low_ns=low if enough else None,
        high_ns=high if enough else None,
        p90_ns=float(p90),
        p99_ns=float(p99),
        min_ns=int(samples.min()),
        mean_ns=float(samples.mean()),
        iqr_ns=float(three - quarter),
        outliers=int(((samples < quarter - fence) | (samples > three + fence)).sum()),
        drift=drift,
        drifts=abs(drift) > DRIFT and _halves_are_disjoint(rounds),
    )


def compare(before_rounds: Rounds, after_rounds: Rounds, *, paired: bool) -> LatencyComparison:
    """Return whether the second of two cells is faster or slower than the first.

    Args:
        before_rounds: samples of the first cell in ns, by round.
        after_rounds: samples of the second cell in ns, by round.
        paired: whether the rounds of both alternated: the drift of the machine then cancels. Rounds
            that only one of them has are left out.

    Raises:
        ValueError: there is no sample.
    """
    if paired:
        both = [(b, a) for b, a in zip(before_rounds, after_rounds, strict=False) if b and a]
        before_rounds, after_rounds = tuple(b for b, _ in both), tuple(a for _, a in both)
    before, after = _arrays(before_rounds), _arrays(after_rounds)
    first, second = (float(np.median(np.concatenate(side))) for side in (before, after))
    ratio = max(second, 1.0) / max(first, 1.0)
    low, high = ratio_interval(before, after, paired=paired)
    p_value, test = _test(_log_medians(before), _log_medians(after), paired=paired)
    is_significant = p_value < 1 - CONFIDENCE and not low <= 1 <= high
    return LatencyComparison(
        before_ns=first,
        after_ns=second,
        ratio=ratio,
        low=low,
        high=high,
        p_value=p_value,
        test=test,
        paired=paired,
        verdict=("slower" if ratio > 1 else "faster") if is_significant else "cannot be told apart",
        noisy=high - low > abs(ratio - 1),
    )


def geometric_mean(pairs: Sequence[tuple[Rounds, Rounds]]) -> GeometricMean | None:
    """Return the geometric mean of median(after) / median(before); None without a cell.

    Args:
        pairs: samples in ns by round, before and after, of each cell; rounds are not paired.
    """
    if not pairs:
        return None
    arrays = [(_arrays(before), _arrays(after)) for before, after in pairs]
    medians = [[max(float(np.median(np.concatenate(s))), 1.0) for s in pair] for pair in arrays]
    ratio = math.exp(math.fsum(math.log(b / a) for a, b in medians) / len(pairs))
    enough = all(len(side) >= MIN_ROUNDS for pair in arrays for side in pair)
    low, high = mean_ratio_interval(arrays, paired=False) if enough else (None, None)
    return GeometricMean(len(pairs), ratio, low, high)


def _arrays(rounds_ns: Rounds) -> list[Floats]:
    """Return the samples of each round; neighbours are joined where there are too many rounds."""
    rounds = [np.asarray(samples, dtype=np.float64) for samples in rounds_ns if samples]
    if not rounds:
        raise ValueError("no samples to take statistics of")
    ends = np.linspace(0, len(rounds), min(len(rounds), MAX_ROUNDS) + 1).astype(int)
    return [np.concatenate(rounds[a:b]) for a, b in itertools.pairwise(ends)]


def _log_medians(rounds: Sequence[Floats]) -> Floats:
    return np.log(np.maximum([np.median(samples) for samples in rounds], 1.0))


def _test(before: Floats, after: Floats, *, paired: bool) -> tuple[float, Test]:
    """Return the two-sided p-value of equal medians, and the test.

    Student's t test of the logarithms is used where rounds are too few for a permutation test to
    reach the significance level.

    Args:
        before: logarithm of each round's median, [N].
        after: logarithm of each round's median of the other cell, [M].
        paired: whether round i of both belongs together.
    """
    from scipy import stats

    if min(before.size, after.size) < MIN_ROUNDS:
        return 1.0, "none"
    orders = 2**before.size if paired else math.comb(before.size + after.size, before.size)
    if np.array_equal(before, after):
        return 1.0, "sign-flip" if paired else "permutation"
    if 2 / orders >= 1 - CONFIDENCE:
        test = stats.ttest_rel if paired else stats.ttest_ind
        # Constant rounds have no variance: their difference is certain, and p is 0.
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return float(np.asarray(test(before, after))[1]), "t"
    result = stats.permutation_test(
        (after - before,) if paired else (after, before),
        _mean if paired else _difference_of_means,
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        batch=1_000,
        rng=SEED,
    )
    return float(result.pvalue), "sign-flip" if paired else "permutation"


def _mean(values: Floats, axis: int = 0) -> Floats:
    return np.mean(values, axis=axis)


def _difference_of_means(after: Floats, before: Floats, axis: int = 0) -> Floats:
    return np.mean(after, axis=axis) - np.mean(before, axis=axis)


def _drift(rounds: Sequence[Floats], median_ns: float) -> float:
    """Return the rise of the least-squares line through the rounds' medians, relative to one."""
    if len(rounds) < MIN_ROUNDS:
        return 0.0
    medians = np.array([np.median(samples) for samples in rounds])
    centred = np.arange(len(rounds)) - (len(rounds) - 1) / 2
    slope = float((centred * medians).sum() / (centred * centred).sum())
    return slope * (len(rounds) - 1) / max(median_ns, 1.0)


def _halves_are_disjoint(rounds: Sequence[Floats]) -> bool:
    """Whether every round of one half is slower than every round of the other."""
    medians = [float(np.median(samples)) for samples in rounds]
    first, last = medians[: len(medians) // 2], medians[-(len(medians) // 2) :]
    return max(first) < min(last) or min(first) > max(last)
