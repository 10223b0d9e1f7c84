from __future__ import annotations

import math

import numpy as np
import pytest

from styleexport.runtime_bench import stats
from styleexport.runtime_bench.report import number_format
from styleexport.runtime_bench.stats import Rounds, compare, median, summarise

APART = ("faster", "slower")


def rounds_of(
    random: np.random.Generator,
    *,
    rounds: int = 7,
    samples: int = 12,
    between: float = 0.01,
    within: float = 0.02,
    factor: float = 1.0,
    drift: float = 0.0,
) -> Rounds:
    """Samples around 1 ms: rounds differ, samples of a round have a tail, as those of machines."""
    shift = random.normal(0, between, rounds) + drift * np.linspace(0, 1, rounds)
    # The median of this gamma variable is 1.678 of its scale.
    noise = random.gamma(2, within, (rounds, samples)) - 1.6783 * within
    table = factor * 1e6 * np.exp(shift[:, None] + noise)
    return tuple(tuple(map(int, row)) for row in table)


def test_a_summary_holds_every_sample_and_counts_outliers():
    found = summarise(((10, 12, 11), (13, 12, 20), (11, 12, 12)))
    assert (found.count, found.rounds, found.min_ns, found.median_ns) == (9, 3, 10, 12)
    assert found.mean_ns == pytest.approx(113 / 9)
    assert (found.iqr_ns, found.outliers) == (1, 1)
    assert found.p90_ns == pytest.approx(13 + 0.2 * 7)
    assert found.p99_ns == pytest.approx(13 + 0.92 * 7)
    assert found.low_ns <= 12 <= found.high_ns


def test_the_same_samples_give_the_same_figures():
    rounds = rounds_of(np.random.default_rng(0))
    assert summarise(rounds) == summarise(rounds)
    assert compare(rounds, rounds[::-1], paired=False) == compare(
        rounds, rounds[::-1], paired=False
    )


@pytest.mark.parametrize("call", [summarise, median])
def test_nothing_has_no_statistics(call):
    with pytest.raises(ValueError, match=r"no (samples|values) to take"):
        call(())


def test_rounds_without_samples_are_passed_over():
    assert summarise(((), (5, 7), ())) == summarise(((5, 7),))


def test_median_of_an_even_number_is_between_the_middle_two():
    assert median([4, 1, 3, 2]) == 2.5


@pytest.mark.parametrize(
    ("rounds", "samples", "between", "within"),
    [(7, 20, 0.02, 0.03), (7, 20, 0.0, 0.03), (5, 10, 0.02, 0.02), (3, 15, 0.02, 0.02)],
)
def test_the_interval_holds_the_true_median_about_19_times_in_20(rounds, samples, between, within):
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        found = summarise(
            rounds_of(random, rounds=rounds, samples=samples, between=between, within=within)
        )
        hits += found.low_ns <= 1e6 <= found.high_ns
    assert 0.90 <= hits / 200 <= 0.99


def test_rounds_that_differ_widen_the_interval_as_more_samples_do_not_narrow_it():
    random = np.random.default_rng(1)
    steady = summarise(rounds_of(random, samples=200, between=0.0))
    shifting = summarise(rounds_of(random, samples=200, between=0.03))
    widths = [found.high_ns - found.low_ns for found in (shifting, steady)]
    assert widths[0] > 5 * widths[1]


@pytest.mark.parametrize(
    "rounds",
    [
        ((1000, 1001, 1002),),
        ((1000, 1001), (1002, 1003)),
        ((1000, 1001), (), (1002, 1003)),
        ((115_000,), (114_000,), (20_000,)),
    ],
    ids=["one", "two", "two and an empty one", "three that differ widely"],
)
def test_too_few_rounds_give_no_interval(rounds):
    found = summarise(rounds)
    assert (found.low_ns, found.high_ns) == (None, None)
    assert number_format.interval(found) == "interval unknown"


@pytest.mark.parametrize("paired", [True, False])
def test_equal_candidates_are_seldom_told_apart(paired):
    random = np.random.default_rng(2)
    verdicts = [
        compare(rounds_of(random), rounds_of(random), paired=paired).verdict for _ in range(50)
    ]
    assert sum(verdict in APART for verdict in verdicts) <= 5


@pytest.mark.parametrize(("factor", "verdict"), [(1.15, "slower"), (0.85, "faster")])
@pytest.mark.parametrize("paired", [True, False])
def test_15_percent_is_told_apart(factor, verdict, paired):
    random = np.random.default_rng(3)
    for _ in range(20):
        found = compare(rounds_of(random), rounds_of(random, factor=factor), paired=paired)
        assert found.verdict == verdict
        assert found.low < factor * 1.02
        assert found.high > factor * 0.98
        assert not found.noisy


def test_pairs_cancel_the_drift_of_the_machine():
    random = np.random.default_rng(4)
    drift = random.normal(0, 0.1, 7)

    def shifted(factor: float) -> Rounds:
        plain = rounds_of(random, between=0.002, factor=factor)
        return tuple(
            tuple(int(sample * math.exp(by)) for sample in row)
            for row, by in zip(plain, drift, strict=True)
        )

    before, after = shifted(1.0), shifted(1.05)
    assert compare(before, after, paired=True).verdict == "slower"
    assert compare(before, after, paired=False).verdict == "cannot be told apart"
    assert compare(before, after, paired=False).noisy


@pytest.mark.parametrize(
    ("rounds", "paired", "test"),
    [
        (7, True, "sign-flip"),
        (6, True, "sign-flip"),
        (5, True, "t"),
        (4, False, "permutation"),
        (3, False, "t"),
        (2, False, "none"),
        (1, True, "none"),
    ],
)
def test_few_rounds_choose_the_test(rounds, paired, test):
    random = np.random.default_rng(5)
    before = rounds_of(random, rounds=rounds, between=0.001)
    after = rounds_of(random, rounds=rounds, between=0.001, factor=2)
    found = compare(before, after, paired=paired)
    assert found.test == test
    assert found.verdict == ("cannot be told apart" if test == "none" else "slower")


def test_the_smallest_p_of_six_signs_is_two_in_64():
    before = tuple((1000 + i,) for i in range(6))
    after = tuple((2000 + i,) for i in range(6))
    assert compare(before, after, paired=True).p_value == pytest.approx(2 / 64)
    assert compare(before, after, paired=False).p_value == pytest.approx(2 / math.comb(12, 6))


def test_what_never_varies_is_told_apart_for_certain():
    before, after = ((100,),) * 3, ((150,),) * 3
    assert compare(before, after, paired=False).p_value == 0
    assert compare(before, after, paired=True).verdict == "slower"
    assert compare(before, before, paired=True).p_value == 1


def test_unpaired_rounds_are_left_out_of_a_paired_comparison():
    random = np.random.default_rng(6)
    before, after = rounds_of(random), rounds_of(random)
    short = (*after[:5], (), after[6])
    kept = (*before[:5], before[6])
    paired = compare(before, short, paired=True)
    assert paired == compare(kept, (*after[:5], after[6]), paired=True)


def test_a_slope_is_a_drift_and_noise_is_none():
    random = np.random.default_rng(7)
    rising = summarise(rounds_of(random, between=0.001, drift=0.2))
    assert rising.drift == pytest.approx(0.2, abs=0.04)
    assert rising.drifts
    steady = summarise(rounds_of(random, between=0.005))
    assert abs(steady.drift) < 0.03
    assert not steady.drifts
    assert summarise(((1,), (9,))).drift == 0


def test_a_clock_too_coarse_for_the_file_breaks_nothing():
    nothing = ((0, 0), (0, 0), (0, 0))
    assert summarise(nothing).median_ns == 0
    assert compare(nothing, nothing, paired=True).ratio == 1


def test_thousands_of_rounds_cost_no_more_than_hundreds():
    many = tuple((1000 + i % 7,) for i in range(10_000))
    found = summarise(many)
    assert (found.rounds, found.count, found.median_ns) == (10_000, 10_000, 1003)
    assert len(stats._arrays(many)) == stats.MAX_ROUNDS
    three = summarise((tuple(range(1000, 100_000)),) * 3)
    assert three.low_ns <= three.median_ns <= three.high_ns
