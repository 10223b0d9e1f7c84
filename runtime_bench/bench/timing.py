"""The clock's part: single runs, warming up, and turns. No statistic of the samples is made here.

The clock is an argument, so that the rules can be tested without time.
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
from styleexport.runtime_bench.bench.request import WarmUp
from styleexport.runtime_bench.runners._runner import Session

Clock = Callable[[], int]
CLOCK_NAME = "perf_counter"
clock_ns: Clock = time.perf_counter_ns
# Runs at the start of a turn that only bring back what the other cells drove out of the caches.
SETTLING_RUNS = 2
# Runs of a warm-up in any case, be they as long as they may: the first is of no use to compare.
LEAST_WARM_UP = 2
NS = 10**9


class Sample(NamedTuple):
    """Nanoseconds of one run: before, inference, after."""

    pre: int
    inference: int
    post: int


def timed(session: Session, inputs: Arrays, clock: Clock) -> Sample:
    """Return the nanoseconds of one run."""
    begun = clock()
    session.feed(inputs)
    fed = clock()
    session.invoke()
    done = clock()
    session.fetch()
    return Sample(fed - begun, done - fed, clock() - done)


def warm_up(run: Callable[[], Sample], rule: WarmUp, clock: Clock) -> Warmed:
    """Return the runs that it took until warm.

    Args:
        run: runs once.
        rule: when that is.
        clock: monotonic nanoseconds.
    """
    begun, samples = clock(), list[int]()
    with _without_collection():
        while True:
            samples.append(run().inference)
            seconds = (clock() - begun) / NS
            stable = seconds >= rule.least_seconds and is_stable(samples, rule)
            if stable or (seconds >= rule.limit_seconds and len(samples) >= LEAST_WARM_UP):
                return Warmed(warm_up_ns=tuple(samples), stable=stable)


def is_stable(samples: Sequence[int], rule: WarmUp) -> bool:
    """Whether the last two windows of samples agree."""
    if len(samples) < 2 * rule.window:
        return False
    earlier = median(samples[-2 * rule.window : -rule.window])
    return abs(median(samples[-rule.window :]) - earlier) <= rule.tolerance * earlier


def turn(run: Callable[[], Sample], seconds: float, min_samples: int, clock: Clock) -> Turned:
    """Return the samples of one turn.

    Args:
        run: runs once.
        seconds: that the turn lasts at least.
        min_samples: that it takes at least.
        clock: monotonic nanoseconds.
    """
    samples: list[Sample] = []
    with _without_collection():
        for _ in range(SETTLING_RUNS):
            run()
        end = clock() + seconds * NS
        while len(samples) < min_samples or clock() < end:
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
