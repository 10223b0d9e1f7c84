"""Loops over pictures whose parts run at the same time, a share of the pictures on each core.

Operations on one picture are too short to keep several cores busy. Here each core takes pictures of
its own, and every operation has one thread, so that results do not depend on the number of cores.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from styleexport.core.counted import Counter
from styleexport.core.types import Progress

T = TypeVar("T")
R = TypeVar("R")
# Each share takes the memory of a run of the network.
MOST_SHARES = 4
LARGEST_PIXELS = 1024 * 1024


def available_cores() -> int:
    """Return the number of cores that this process may use; ``OMP_NUM_THREADS`` may say fewer."""
    mine = getattr(os, "sched_getaffinity", None)
    cores = len(mine(0)) if mine is not None else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(wanted))) if wanted.isdecimal() else cores


def share_count(items: int, pixels: int = 0) -> int:
    """Return how many shares so many pictures of a size are computed in."""
    return 1 if pixels > LARGEST_PIXELS else max(1, min(available_cores(), MOST_SHARES, items))


def in_shares(
    items: Sequence[T],
    work: Callable[[Iterator[T]], R],
    what: str,
    progress: Progress,
    *,
    pixels: int = 0,
) -> list[R]:
    """Return what is made of each share of the items, in order; a share is of neighbours.

    Args:
        items: what is looped over.
        work: makes something of a share, in a thread of its own, with one thread an operation.
        what: what is done, the beginning of the lines of progress.
        progress: takes a line every second, from the calling thread and the others.
        pixels: pixels of one picture; large ones are computed one after the other.
    """
    import torch

    count = share_count(len(items), pixels)
    bounds = [round(place * len(items) / count) for place in range(count + 1)]
    shares = [items[first:last] for first, last in itertools.pairwise(bounds)]
    counter, lock, stopped = Counter(what, progress), threading.Lock(), threading.Event()
    done = 0

    def counted(share: Sequence[T]) -> Iterator[T]:
        nonlocal done
        for item in share:
            if stopped.is_set():
                raise InterruptedError("another share failed")
            yield item
            with lock:
                done += 1
                counter(done, len(items))

    def run(share: Sequence[T]) -> R:
        torch.set_num_threads(1)  # of this thread alone
        return work(counted(share))

    before = torch.get_num_threads()
    try:
        if len(shares) == 1:
            return [run(shares[0])]
        with ThreadPoolExecutor(len(shares)) as pool:
            futures = [pool.submit(run, share) for share in shares]
            try:
                return [future.result() for future in futures]
            except BaseException:
                stopped.set()
                raise
    finally:
        torch.set_num_threads(before)
