"""Garbage collection tuned for imports of large libraries and for converters.

Both make millions of small objects that live long. Python's 700 starts a collection about 70 times
a second of a conversion, each of which calls what libraries have hooked to it too: together a tenth
of an export.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator

THRESHOLDS = (20_000, 10, 10)


def collect_rarely() -> None:
    """Collect garbage less often from now on, for processes that are this package's own."""
    gc.set_threshold(*THRESHOLDS)


@contextlib.contextmanager
def rare_collections() -> Generator[None]:
    """Collect garbage less often inside the block, and leave out what is there at its start.

    Blocks may be nested; the innermost ends with the thresholds of the one around it.
    """
    before, outermost = gc.get_threshold(), gc.get_freeze_count() == 0
    collect_rarely()
    if outermost:
        gc.freeze()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if outermost:
            gc.unfreeze()
