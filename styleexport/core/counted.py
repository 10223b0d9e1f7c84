"""Progress of loops that may take long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from styleexport.core.types import Progress

T = TypeVar("T")
# Seconds between two lines.
EVERY = 5.0


def counted(
    items: Sequence[T], what: str, progress: Progress, *, every: float = EVERY
) -> Iterator[T]:
    """Yield the items; every few seconds say how many are done and what time is left.

    Args:
        items: what is looped over.
        what: what is done, the beginning of the line.
        progress: takes the lines; there are none in a short loop.
        every: seconds between two lines.
    """
    counter = Counter(what, progress, every=every)
    for done, item in enumerate(items):
        counter(done, len(items))
        yield item


class Counter:
    """Lines of progress of work whose parts are counted elsewhere; called with done and all.

    Args:
        what: what is done, the beginning of the line.
        progress: takes the lines; there are none of short work.
        every: seconds between two lines.
    """

    def __init__(self, what: str, progress: Progress, *, every: float = EVERY) -> None:
        self._what, self._progress, self._every = what, progress, every
        self._start = self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Say how many are done and what time is left, if it is time for a line."""
        now = time.monotonic()
        if now - self._said >= self._every and 0 < done < total:
            each = (now - self._start) / done
            left = each * (total - done)
            self._progress(f"{self._what}: {done} of {total}, {each:.1f} s each, {left:.0f} s left")
            self._said = now
