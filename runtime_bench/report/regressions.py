"""Regressions of a cell between two reports: slower, larger, farther from the float network."""

from __future__ import annotations

from collections.abc import Iterator

from styleexport.runtime_bench.contract.latency import CellFact
from styleexport.runtime_bench.report.number_format import change
from styleexport.runtime_bench.stats import LatencyComparison

# Larger PSNRs are invisible in 8-bit pictures.
INVISIBLE_DB = 60.0


def regressions_of(
    before: CellFact, after: CellFact, latency: LatencyComparison | None, allowed: float
) -> Iterator[str]:
    """Yield one sentence for each figure that became worse by more than is allowed.

    Args:
        before: earlier cell.
        after: later cell of the same key.
        latency: comparison of their samples; None unless both were measured.
        allowed: largest relative change that is no regression; 0.1 is 10 %.
    """
    limit = f"at most {change(allowed)} allowed"
    if before.status == "measured" != after.status:
        yield f"it was measured, now it is {after.status}"
    if latency is not None and latency.verdict == "slower" and latency.ratio > 1 + allowed:
        interval = f"{change(latency.low - 1)} to {change(latency.high - 1)}"
        yield f"time {change(latency.ratio - 1)} ({interval}), {limit}"
    size = after.subject.size_bytes / max(before.subject.size_bytes, 1)
    if size > 1 + allowed:
        yield f"size of the file {change(size - 1)}, {limit}"
    yield from _quality_regressions(before, after, allowed)


def _quality_regressions(before: CellFact, after: CellFact, allowed: float) -> Iterator[str]:
    """Yield where the error, or the distance to the style, grew by more than is allowed."""
    old_db, new_db = before.subject.quality_db, after.subject.quality_db
    if old_db is not None and new_db is not None and new_db < INVISIBLE_DB:
        error = 10 ** ((min(old_db, INVISIBLE_DB) - max(new_db, 0.0)) / 20)
        if error > 1 + allowed:
            grown = change(error - 1)
            yield f"quality fell from {old_db:.1f} to {new_db:.1f} dB, the error grew {grown}"
    old, new = before.subject.style_change, after.subject.style_change
    if old is not None and new is not None and new > -1:
        distance = (1 + new) / max(1 + old, 1e-6)
        if distance > 1 + allowed:
            yield f"the distance to the style grew {change(distance - 1)}"
