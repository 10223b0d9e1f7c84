"""Progress of loops that may take long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from styleexport.core.types import Progress

T = TypeVar("T")
# Seconds between two lines.
EVERY = 1.0


class Tally(str):
    """A line of progress that says how much of a loop is done; a terminal draws it as a bar.

    Attributes:
        what: what is done.
        done: number of parts that are done.
        total: number of all parts.
        seconds: time that the parts have taken so far.
    """

    __slots__ = ("done", "seconds", "total", "what")

    def __new__(cls, what: str, done: int, total: int, seconds: float) -> Tally:
        """Return the line of a loop of which some parts are done."""
        each = seconds / max(done, 1)
        left = each * (total - done)
        line = f"{what}: {done} of {total}, {each:.1f} s each, {left:.0f} s left"
        tally = super().__new__(cls, line)
        tally.what, tally.done, tally.total, tally.seconds = what, done, total, seconds
        return tally

    def __getnewargs__(self) -> tuple[str, int, int, float]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.what, self.done, self.total, self.seconds


@dataclass(frozen=True)
class Prefixed:
    """Progress of one of several things at work, whose name goes before each line.

    Attributes:
        progress: takes the lines.
        name: what is at work.
    """

    progress: Progress
    name: str

    def __call__(self, line: str) -> None:
        """Pass a line on."""
        if isinstance(line, Tally):
            what = f"{self.name}: {line.what}"
            self.progress(Tally(what, line.done, line.total, line.seconds))
        else:
            self.progress(f"{self.name}: {line}")


def counted(
    items: Sequence[T], what: str, progress: Progress, *, every: float = EVERY
) -> Iterator[T]:
    """Yield the items; about every second say how many are done and what time is left.

    Args:
        items: what is looped over.
        what: what is done, the beginning of the line.
        progress: takes a `Tally` each time; none in a short loop.
        every: seconds between two lines.
    """
    counter = Counter(what, progress, every=every)
    for done, item in enumerate(items):
        counter(done, len(items))
        yield item
    counter(len(items), len(items))


class Counter:
    """Lines of progress of work whose parts are counted elsewhere; called with done and all.

    Args:
        what: what is done, the beginning of the line.
        progress: takes a `Tally` each time; none of short work.
        every: seconds between two lines.
    """

    def __init__(self, what: str, progress: Progress, *, every: float = EVERY) -> None:
        self._what, self._progress, self._every = what, progress, every
        self._start = self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Say how many are done and what time is left, if it is time for a line or the end."""
        now = time.monotonic()
        ends = done == total and self._said > self._start
        if ends or (now - self._said >= self._every and 0 < done < total):
            self._progress(Tally(self._what, done, total, now - self._start))
            self._said = now
