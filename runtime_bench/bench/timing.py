"""Timing of single runs, warm-up and turns, without statistics.

The clock is an argument, so that the rules can be tested without waiting.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Generator, Sequence
from statistics import median
from typing import NamedTuple

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.bench.messages import Turned, Warmed
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.runners._runner import Session

Clock = Callable[[], int]
CLOCK_NAME = "perf_counter"
clock_ns: Clock = time.perf_counter_ns
# Minimum number of warm-up runs, however long they take: the first is no use for comparison.
LEAST_WARM_UP = 2
NS = 10**9


class Sample(NamedTuple):
    """Nanoseconds of one run: converting the inputs, inference, converting the outputs."""

    pre: int
    inference: int
    post: int


def timed(session: Session, inputs: Arrays, clock: Clock) -> Sample:
    """Return the nanoseconds of one run."""
    start = clock()
    session.feed(inputs)
    fed = clock()
    session.invoke()
    done = clock()
    session.fetch()
    return Sample(fed - start, done - fed, clock() - done)


def warm_up(run: Callable[[], Sample], plan: PlanFact, clock: Clock) -> Warmed:
    """Run until the file is warm, or until the time limit of the warm-up.

    Args:
        run: runs once.
        plan: measuring plan.
        clock: monotonic nanoseconds.
    """
    start, samples = clock(), list[int]()
    with _without_collection():
        while True:
            samples.append(run().inference)
            seconds = (clock() - start) / NS
            stable = seconds >= plan.warm_up_least_seconds and is_stable(samples, plan)
            if stable or (seconds >= plan.warm_up_seconds and len(samples) >= LEAST_WARM_UP):
                return Warmed(warm_up_ns=tuple(samples), stable=stable)


def is_stable(samples: Sequence[int], plan: PlanFact) -> bool:
    """Whether the medians of the last two windows of samples agree."""
    if len(samples) < 2 * plan.window:
        return False
    earlier = median(samples[-2 * plan.window : -plan.window])
    return abs(median(samples[-plan.window :]) - earlier) <= plan.tolerance * earlier


def turn(run: Callable[[], Sample], plan: PlanFact, clock: Clock) -> Turned:
    """Return the samples of one turn.

    The settling runs at its start are not kept: they refill the caches that other cells have
    evicted.

    Args:
        run: runs once.
        plan: measuring plan.
        clock: monotonic nanoseconds.
    """
    samples: list[Sample] = []
    with _without_collection():
        for _ in range(plan.settling_runs):
            run()
        end = clock() + plan.seconds * NS
        while len(samples) < plan.min_samples or clock() < end:
            samples.append(run())
    pre, inference, post = zip(*samples, strict=True) if samples else ((), (), ())
    return Turned(samples_ns=inference, pre_ns=pre, post_ns=post)


@contextlib.contextmanager
def _without_collection() -> Generator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
