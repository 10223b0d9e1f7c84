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
    start = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said >= every:
            each = (now - start) / done
            left = each * (len(items) - done)
            progress(f"{what}: {done} of {len(items)}, {each:.1f} s each, {left:.0f} s left")
            said = now
        yield item
