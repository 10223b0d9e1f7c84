"""The statistics of latency samples: one place, so that every table and page says the same.

Samples of one round resemble each other more than those of another: what the machine did in between
shifts all of them. So rounds are what is resampled, and rounds are what is compared (the two levels
of Kalibera and Jones, "Rigorous benchmarking in reasonable time", 2013). All that is drawn is
seeded: the same samples give the same figures.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rounds = tuple[tuple[int, ...], ...]
Floats = NDArray[np.float64]
Verdict = Literal["faster", "slower", "cannot be told apart"]
Test = Literal["sign-flip", "permutation", "t", "none"]

CONFIDENCE = 0.95
RESAMPLES = 2_000
SEED = 5
# A longer round is resampled through so many evenly spaced quantiles of it: its median is known far
# better than rounds repeat.
MOST_OF_A_ROUND = 100
# Bounds what a report of thousands of rounds or samples costs: neighbours are joined.
MOST_ROUNDS = 200
MOST_VALUES = 2_000
# Fewer rounds say nothing of how much rounds differ.
FEWEST_ROUNDS = 3
# A trend of less is not worth a word.
DRIFT = 0.03


@dataclass(frozen=True)
class Summary:
    """The samples of one cell in figures.

    Attributes:
        count: of the samples.
        rounds: that they were taken in.
        median_ns: of all samples.
        low_ns: lower end of the 95 % bootstrap interval of the median.
        high_ns: upper end.
        p90_ns: nine of ten samples are below.
        p99_ns: 99 of a hundred are.
        min_ns: the least.
        mean_ns: arithmetic.
        iqr_ns: interquartile range.
        outliers: samples beyond Tukey's fences, 1.5 interquartile ranges from the quartiles; they
            are counted, and are in every other figure.
        drift: from the first round to the last, by a line through the medians of the rounds, as a
            share of the median; 0 for fewer than three rounds.
        drifts: whether that is more than 3 % and one half of the rounds is above the other.
    """

    count: int
    rounds: int
    median_ns: float
    low_ns: float
    high_ns: float
    p90_ns: float
    p99_ns: float
    min_ns: int
    mean_ns: float
    iqr_ns: float
    outliers: int
    drift: float
    drifts: bool

    @property
    def spread(self) -> float:
        """The width of the interval as a share of the median."""
        return (self.high_ns - self.low_ns) / max(self.median_ns, 1.0)


@dataclass(frozen=True)
class LatencyComparison:
    """Two cells against each other.

    Attributes:
        before_ns: median of the first.
        after_ns: median of the second.
        ratio: after by before; below 1 the second is faster.
        low: lower end of the 95 % interval of the ratio.
        high: upper end.
        p_value: how often chance alone would part equal cells at least as far.
        test: that gave it; ``none`` where there are fewer than three rounds.
        paired: whether the two took turns, so that round is compared with round.
        verdict: on the second; told apart only where test and interval agree.
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


def median(values: Sequence[float]) -> float:
    """Return the median; the mean of the middle two of an even number.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no values to take a median of")
    return float(np.median(np.asarray(values, dtype=np.float64)))


def summarise(rounds_ns: Rounds) -> Summary:
    """Return what a table says of some samples.

    Args:
        rounds_ns: the samples of each round, in ns; rounds without any are passed over.

    Raises:
        ValueError: there is no sample.
    """
    rounds = _arrays(rounds_ns)
    samples = np.concatenate(rounds)
    quarter, half, three, p90, p99 = np.percentile(samples, (25, 50, 75, 90, 99)).tolist()
    fence = 1.5 * (three - quarter)
    low, high = _interval(half, _resampled(rounds), _drawn(rounds))
    drift = _drift(rounds, half)
    return Summary(
        count=samples.size,
        rounds=sum(map(bool, rounds_ns)),
        median_ns=float(half),
        low_ns=max(0.0, low),
        high_ns=high,
        p90_ns=float(p90),
        p99_ns=float(p99),
        min_ns=int(samples.min()),
        mean_ns=float(samples.mean()),
        iqr_ns=float(three - quarter),
        outliers=int(((samples < quarter - fence) | (samples > three + fence)).sum()),
        drift=drift,
        drifts=abs(drift) > DRIFT and _halves_differ(rounds),
    )


def compare(before_rounds: Rounds, after_rounds: Rounds, *, paired: bool) -> LatencyComparison:
    """Return whether the second of two cells is faster, slower, or not to be told apart.

    Args:
        before_rounds: samples of the first, in ns, by round.
        after_rounds: of the second.
        paired: whether both took turns in the same rounds: the drift of the machine then cancels.
            Rounds that only one of them has are left out.

    Raises:
        ValueError: there is no sample.
    """
    if paired:
        both = [(b, a) for b, a in zip(before_rounds, after_rounds, strict=False) if b and a]
        before_rounds, after_rounds = tuple(b for b, _ in both), tuple(a for _, a in both)
    before, after = _arrays(before_rounds), _arrays(after_rounds)
    first, second = (float(np.median(np.concatenate(side))) for side in (before, after))
    ratio = max(second, 1.0) / max(first, 1.0)
    low, high = np.exp(_ratio_interval(before, after, ratio, paired=paired))
    p_value, test = _test(_log_medians(before), _log_medians(after), paired=paired)
    apart = p_value < 1 - CONFIDENCE and not low <= 1 <= high
    return LatencyComparison(
        before_ns=first,
        after_ns=second,
        ratio=ratio,
        low=float(low),
        high=float(high),
        p_value=p_value,
        test=test,
        paired=paired,
        verdict=("slower" if ratio > 1 else "faster") if apart else "cannot be told apart",
        noisy=bool(high - low > abs(ratio - 1)),
    )


def _arrays(rounds_ns: Rounds) -> list[Floats]:
    rounds = [np.asarray(samples, dtype=np.float64) for samples in rounds_ns if samples]
    if not rounds:
        raise ValueError("no samples to take statistics of")
    joined = min(len(rounds), MOST_ROUNDS)
    ends = np.linspace(0, len(rounds), joined + 1).astype(int)
    return [np.concatenate(rounds[a:b]) for a, b in itertools.pairwise(ends)]


def _resampled(rounds: Sequence[Floats], seed: int = SEED) -> Floats:
    """Return the median of each resample: rounds are drawn, each with all of its samples.

    The medians of rounds already vary with the samples in them; drawing those anew would count
    that twice (Davison and Hinkley, "Bootstrap methods", 1997, section 3.8). A single round is
    drawn sample by sample.
    """
    if len(rounds) == 1:
        thinned = list(_thinned(rounds[0], MOST_VALUES)[:, None])
    else:
        most = min(MOST_OF_A_ROUND, MOST_VALUES // len(rounds))
        thinned = [_thinned(samples, most) for samples in rounds]
    number = len(thinned)
    picks = np.random.default_rng(seed).integers(0, number, (RESAMPLES, number))
    counts = np.zeros((RESAMPLES, number), dtype=np.int64)
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], picks), 1)
    values = np.concatenate(thinned)
    owners = np.repeat(np.arange(number), [samples.size for samples in thinned])
    order = np.argsort(values, kind="stable")
    # How many samples of the resample are not above each value: the middle is where half is passed.
    passed = np.cumsum(counts[:, owners[order]], axis=1)
    half = passed[:, -1:] / 2
    below, above = (order[side.sum(1)] for side in (passed < half, passed <= half))
    return (values[below] + values[above]) / 2


def _drawn(rounds: Sequence[Floats]) -> int:
    """Return how many things a resample draws: rounds, or the samples of the only one."""
    return len(rounds) if len(rounds) > 1 else rounds[0].size


def _thinned(samples: Floats, most: int) -> Floats:
    if samples.size <= most:
        return samples
    shares = (np.arange(most) + 0.5) / most
    return np.asarray(np.quantile(samples, shares), dtype=np.float64)


def _interval(estimate: float, resampled: Floats, rounds: int) -> tuple[float, float]:
    """Return the ends of a percentile interval, widened for what few rounds do not tell.

    A bootstrap of n clusters understates their variance by (n-1)/n and takes the normal quantile
    where Student's belongs: both are made good, as in the "expanded percentile interval" of
    Hesterberg, "What teachers should know about the bootstrap", 2015.
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    factor = _widening(rounds)
    return float(estimate - factor * (estimate - low)), float(estimate + factor * (high - estimate))


def _widening(rounds: int) -> float:
    """Return sqrt(n/(n-1)) · t / z for n rounds; 1 for a single value."""
    from scipy.special import ndtri, stdtrit

    if rounds < 2:
        return 1.0
    upper = (1 + CONFIDENCE) / 2
    return float(np.sqrt(rounds / (rounds - 1)) * stdtrit(rounds - 1, upper) / ndtri(upper))


def _ratio_interval(
    before: list[Floats], after: list[Floats], ratio: float, *, paired: bool
) -> tuple[float, float]:
    """Return the ends of the interval of the logarithm of the ratio of medians."""
    # With one seed the same rounds are drawn of both.
    medians = [
        np.maximum(_resampled(before, SEED), 1.0),
        np.maximum(_resampled(after, SEED if paired else SEED + 1), 1.0),
    ]
    fewest = min(_drawn(before), _drawn(after))
    return _interval(float(np.log(ratio)), np.log(medians[1] / medians[0]), fewest)


def _log_medians(rounds: Sequence[Floats]) -> Floats:
    return np.log(np.maximum([np.median(samples) for samples in rounds], 1.0))


def _test(before: Floats, after: Floats, *, paired: bool) -> tuple[float, Test]:
    """Return the two-sided p value of the medians of the rounds, and the test that gave it.

    Where there are too few rounds for a permutation to be as rare as one in twenty, Student's t
    of the logarithms is taken.
    """
    from scipy import stats

    if min(before.size, after.size) < FEWEST_ROUNDS:
        return 1.0, "none"
    orders = 2**before.size if paired else math.comb(before.size + after.size, before.size)
    if np.array_equal(before, after):
        return 1.0, "sign-flip" if paired else "permutation"
    if 2 / orders >= 1 - CONFIDENCE:
        test = stats.ttest_rel if paired else stats.ttest_ind
        # Constant rounds have no variance: what they differ by is certain, and p is 0.
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return float(np.asarray(test(before, after))[1]), "t"
    data = (after - before,) if paired else (after, before)
    found = stats.permutation_test(
        data,
        _mean if paired else _difference,
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        batch=1_000,
        rng=SEED,
    )
    return float(found.pvalue), "sign-flip" if paired else "permutation"


def _mean(values: Floats, axis: int = 0) -> Floats:
    return np.mean(values, axis=axis)


def _difference(after: Floats, before: Floats, axis: int = 0) -> Floats:
    return np.mean(after, axis=axis) - np.mean(before, axis=axis)


def _drift(rounds: Sequence[Floats], middle: float) -> float:
    if len(rounds) < FEWEST_ROUNDS:
        return 0.0
    medians = np.array([np.median(samples) for samples in rounds])
    turns = np.arange(len(rounds)) - (len(rounds) - 1) / 2
    slope = float((turns * medians).sum() / (turns * turns).sum())
    return slope * (len(rounds) - 1) / max(middle, 1.0)


def _halves_differ(rounds: Sequence[Floats]) -> bool:
    """Return whether every round of one half is above every round of the other."""
    medians = [float(np.median(samples)) for samples in rounds]
    first, last = medians[: len(medians) // 2], medians[-(len(medians) // 2) :]
    return max(first) < min(last) or min(first) > max(last)
