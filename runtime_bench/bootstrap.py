"""Cluster bootstrap of the median of latency samples, by rounds.

Samples of one round resemble each other more than those of another, since whatever the machine does
in between shifts all of them. So rounds are resampled (the two levels of Kalibera and Jones,
"Rigorous benchmarking in reasonable time", 2013). Draws are seeded: the same samples give the same
figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 2_000
SEED = 5
# A longer round is represented by this many evenly spaced quantiles: its median is known far better
# than rounds repeat.
MAX_VALUES_PER_ROUND = 100
MAX_VALUES = 2_000


def median_interval(rounds: Sequence[Floats]) -> tuple[float, float]:
    """Return the ends of the 95 % confidence interval of the median of all samples.

    Args:
        rounds: samples of each round, [N] each; one round or more.
    """
    median = float(np.median(np.concatenate(rounds)))
    return _expanded_interval(median, _resampled_medians(rounds), _cluster_count(rounds))


def ratio_interval(
    before: Sequence[Floats], after: Sequence[Floats], *, paired: bool
) -> tuple[float, float]:
    """Return the ends of the 95 % confidence interval of median(after) / median(before).

    Args:
        before: samples of each round, [N] each; one round or more.
        after: samples of each round of the other cell, [N] each.
        paired: whether round i of both belongs together; then the same rounds are drawn of both.
    """
    return mean_ratio_interval([(before, after)], paired=paired)


def mean_ratio_interval(
    pairs: Sequence[tuple[Sequence[Floats], Sequence[Floats]]], *, paired: bool
) -> tuple[float, float]:
    """Return the ends of the 95 % confidence interval of the geometric mean of several ratios.

    Cells that took turns in the same rounds share what disturbed a round, so the same rounds are
    drawn of all cells with equally many.

    Args:
        pairs: samples of each round, [N] each, before and after, for each cell; one or more.
        paired: whether round i before and after belongs together; see `ratio_interval`.
    """
    estimates = [_log_ratio(*(np.concatenate(side) for side in pair)) for pair in pairs]
    drawn = [_resampled_log_ratios(before, after, paired=paired) for before, after in pairs]
    fewest = min(_cluster_count(side) for pair in pairs for side in pair)
    mean = np.asarray(np.mean(drawn, axis=0), dtype=np.float64)
    low, high = np.exp(_expanded_interval(float(np.mean(estimates)), mean, fewest))
    return float(low), float(high)


def _log_ratio(before: Floats, after: Floats) -> float:
    first, second = (max(float(np.median(side)), 1.0) for side in (before, after))
    return float(np.log(second / first))


def _resampled_log_ratios(
    before: Sequence[Floats], after: Sequence[Floats], *, paired: bool
) -> Floats:
    """Return the logarithm of the ratio of medians of each resample, [RESAMPLES]."""
    first = np.maximum(_resampled_medians(before, SEED), 1.0)
    second = np.maximum(_resampled_medians(after, SEED if paired else SEED + 1), 1.0)
    return np.log(second / first)


def _resampled_medians(rounds: Sequence[Floats], seed: int = SEED) -> Floats:
    """Return the median of each resample, [RESAMPLES]: rounds are drawn with all their samples.

    The medians of rounds already vary with the samples in them; drawing those anew would count
    that twice (Davison and Hinkley, "Bootstrap methods", 1997, section 3.8). A single round is
    drawn sample by sample.
    """
    if len(rounds) == 1:
        clusters = list(_thinned(rounds[0], MAX_VALUES)[:, None])
    else:
        size = min(MAX_VALUES_PER_ROUND, MAX_VALUES // len(rounds))
        clusters = [_thinned(samples, size) for samples in rounds]
    number = len(clusters)
    picks = np.random.default_rng(seed).integers(0, number, (RESAMPLES, number))
    counts = np.zeros((RESAMPLES, number), dtype=np.int64)
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], picks), 1)
    values = np.concatenate(clusters)
    owners = np.repeat(np.arange(number), [samples.size for samples in clusters])
    order = np.argsort(values, kind="stable")
    # Samples of the resample up to each value: the median is where half of them is passed.
    passed = np.cumsum(counts[:, owners[order]], axis=1)
    half = passed[:, -1:] / 2
    below, above = (order[side.sum(1)] for side in (passed < half, passed <= half))
    return (values[below] + values[above]) / 2


def _cluster_count(rounds: Sequence[Floats]) -> int:
    """Return the number of clusters that a resample draws: rounds, or samples of a single one."""
    return len(rounds) if len(rounds) > 1 else rounds[0].size


def _thinned(samples: Floats, size: int) -> Floats:
    """Return the samples, or that many evenly spaced quantiles of them."""
    if samples.size <= size:
        return samples
    shares = (np.arange(size) + 0.5) / size
    return np.asarray(np.quantile(samples, shares), dtype=np.float64)


def _expanded_interval(estimate: float, resampled: Floats, clusters: int) -> tuple[float, float]:
    """Return the ends of the expanded percentile interval.

    A bootstrap of n clusters understates their variance by (n-1)/n, and takes the normal quantile
    where Student's belongs; both are corrected (Hesterberg, "What teachers should know about the
    bootstrap", 2015).
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    factor = _expansion(clusters)
    return float(estimate - factor * (estimate - low)), float(estimate + factor * (high - estimate))


def _expansion(clusters: int) -> float:
    """Return sqrt(n/(n-1)) · t / z for n clusters; 1 for a single one."""
    from scipy.special import ndtri, stdtrit

    if clusters < 2:
        return 1.0
    upper = (1 + CONFIDENCE) / 2
    student = stdtrit(clusters - 1, upper)
    return float(np.sqrt(clusters / (clusters - 1)) * student / ndtri(upper))
