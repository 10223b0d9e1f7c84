"""Geometric mean of the ratios of all cells of two reports: the change of a suite as a whole."""

from __future__ import annotations

from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.report.comparison import by_key
from styleexport.runtime_bench.report.number_format import UNKNOWN_INTERVAL, change
from styleexport.runtime_bench.stats import GeometricMean, geometric_mean


def suite_mean(before: LatencyReport, after: LatencyReport) -> GeometricMean | None:
    """Return the geometric mean of the ratios of all cells that both reports measured."""
    first, second = by_key(before.cells), by_key(after.cells)
    return geometric_mean(
        [
            (cell.rounds_ns, second[key].rounds_ns)
            for key, cell in first.items()
            if key in second and cell.status == second[key].status == "measured"
        ]
    )


def suite_regression(mean: GeometricMean | None, allowed: float | None) -> tuple[str, ...]:
    """Return a sentence where the suite became slower beyond noise, and by more than is allowed."""
    if mean is None or allowed is None or mean.verdict != "slower" or mean.ratio <= 1 + allowed:
        return ()
    return (f"geometric mean of {mean_text(mean)}, at most {change(allowed)} allowed",)


def mean_text(mean: GeometricMean) -> str:
    """Return a mean in words: ``3 cells: +2.0 % (+1.0 % to +3.0 %)``."""
    cells = f"{mean.cells} cell{'s' if mean.cells > 1 else ''}"
    if mean.low is None or mean.high is None:
        return f"{cells}: {change(mean.ratio - 1)} ({UNKNOWN_INTERVAL})"
    interval = f"{change(mean.low - 1)} to {change(mean.high - 1)}"
    return f"{cells}: {change(mean.ratio - 1)} ({interval})"
