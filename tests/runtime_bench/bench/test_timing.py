"""When a file is warm, how long a turn is, and what is timed: on a clock that is told to pass."""

from __future__ import annotations

import gc
from itertools import chain, repeat

import numpy as np
import pytest

from styleexport.runtime_bench.bench.timing import (
    Sample,
    is_stable,
    timed,
    turn,
    warm_up,
)
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.runners._runner import Session
from tests.runtime_bench.bench.conftest import MS

PLAN = PlanFact(window=3, tolerance=0.1, warm_up_least_seconds=0.0, warm_up_seconds=1.0)
TURN = PlanFact(seconds=0.1, min_samples=5)


def runs(clock, costs_ms):
    """A run whose inference takes the next of these."""
    costs = iter(costs_ms)

    def run() -> Sample:
        cost = next(costs) * MS
        clock.spend(cost)
        return Sample(1, round(cost), 2)

    return run


def test_three_parts_are_timed_apart(clock):
    session = Session(
        feed=lambda inputs: clock.spend(5),
        invoke=lambda: clock.spend(70),
        fetch=lambda: clock.spend(11) or {},
    )
    assert timed(session, {"content": np.zeros(1, np.float32)}, clock) == (5, 70, 11)


def test_warm_as_soon_as_two_windows_agree(clock):
    found = warm_up(runs(clock, [90, 50, 20, 10, 10, 10, 10, 10, 10, 10]), PLAN, clock)
    assert found.stable
    # Three runs later the medians of 20, 10, 10 and of 10, 10, 10 are the first that agree.
    assert found.warm_up_ns == tuple(n * MS for n in (90, 50, 20, 10, 10, 10, 10, 10))


def test_warming_up_takes_its_least_time(clock):
    plan = PlanFact(window=3, warm_up_least_seconds=0.1, warm_up_seconds=1.0)
    found = warm_up(runs(clock, repeat(5)), plan, clock)
    assert (found.stable, len(found.warm_up_ns)) == (True, 20)


def test_warming_up_ends_at_its_limit(clock):
    found = warm_up(runs(clock, (10 * 1.5**n for n in range(100))), PLAN, clock)
    assert not found.stable
    assert sum(found.warm_up_ns) >= 1e9
    assert sum(found.warm_up_ns[:-1]) < 1e9


def test_two_runs_are_made_even_past_the_limit(clock):
    found = warm_up(runs(clock, repeat(5_000)), PLAN, clock)
    assert (found.stable, len(found.warm_up_ns)) == (False, 2)


@pytest.mark.parametrize(("last", "stable"), [(109, True), (111, False), (91, True), (89, False)])
def test_tolerance(last, stable):
    assert is_stable([100] * 3 + [last] * 3, PLAN) is stable


def test_a_turn_lasts_its_seconds(clock):
    found = turn(runs(clock, repeat(30)), PlanFact(seconds=0.1, min_samples=1), clock)
    assert found.samples_ns == (30 * MS,) * 4
    assert (found.pre_ns, found.post_ns) == ((1,) * 4, (2,) * 4)


def test_a_turn_takes_its_samples(clock):
    assert len(turn(runs(clock, repeat(400)), TURN, clock).samples_ns) == 5


def test_the_first_runs_of_a_turn_are_not_counted(clock):
    costs = chain([70] * 3, repeat(2))
    plan = PlanFact(seconds=0.05, settling_runs=3)
    assert set(turn(runs(clock, costs), plan, clock).samples_ns) == {2 * MS}


def test_no_collection_while_the_clock_runs(clock):
    seen = []

    def run() -> Sample:
        seen.append(gc.isenabled())
        clock.spend(10 * MS)
        return Sample(1, 10 * MS, 1)

    turn(run, TURN, clock)
    warm_up(run, PLAN, clock)
    assert not any(seen)
    assert gc.isenabled()


def test_collection_comes_back_after_an_error(clock):
    def run() -> Sample:
        raise MemoryError

    with pytest.raises(MemoryError):
        turn(run, TURN, clock)
    assert gc.isenabled()
