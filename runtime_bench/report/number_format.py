"""Number formatting shared by the terminal, the pages and Markdown."""

from __future__ import annotations

from styleexport.runtime_bench.stats import Summary

UNKNOWN_INTERVAL = "interval unknown"


def milliseconds(value_ns: float) -> str:
    """Return a duration with four significant digits: ``1.234 ms``.

    Args:
        value_ns: duration in ns.
    """
    return f"{bare_milliseconds(value_ns)} ms"


def bare_milliseconds(value_ns: float | None) -> str:
    """Return a duration in ms without the unit, for a column that names it; a dash for None.

    Args:
        value_ns: duration in ns.
    """
    if value_ns is None:
        return "-"
    value = value_ns / 1e6
    digits = 3 if value < 10 else 2 if value < 100 else 1 if value < 1000 else 0
    return f"{value:.{digits}f}"


def interval(summary: Summary) -> str:
    """Return the 95 % interval of the median in ms: ``12.10 to 12.41``, or that it is unknown."""
    if summary.low_ns is None or summary.high_ns is None:
        return UNKNOWN_INTERVAL
    return f"{bare_milliseconds(summary.low_ns)} to {bare_milliseconds(summary.high_ns)}"


def megabytes(count: float | None) -> str:
    """Return a number of bytes in MB, 10⁶ bytes: ``1.23 MB``; a dash for None."""
    return "-" if count is None else f"{bare_megabytes(count)} MB"


def bare_megabytes(count: float | None) -> str:
    """Return a number of bytes in MB without the unit; a dash for None."""
    if count is None:
        return "-"
    digits = 2 if count < 1e7 else 1 if count < 1e8 else 0
    return f"{count / 1e6:.{digits}f}"


def decibels(value: float | None) -> str:
    """Return a level in dB; a dash for None."""
    return "-" if value is None else f"{value:.1f} dB"


def change(value: float | None) -> str:
    """Return a relative change in percent, signed: ``+5.0 %`` for 0.05; a dash for None."""
    return "-" if value is None else f"{100 * value:+.1f} %"


def share(value: float) -> str:
    """Return a share in percent: ``25 %`` for 0.25."""
    return f"{100 * value:.0f} %"


def unit_interval(value: float | None) -> str:
    """Return a figure in 0..1 with four decimals; a dash for None."""
    return "-" if value is None else f"{value:.4f}"


def times(value: float) -> str:
    """Return a factor: ``1.82×``."""
    return f"{value:.2f}×" if value < 10 else f"{value:.1f}×"


def gmacs(value: float | None) -> str:
    """Return a rate in GMAC/s; a dash for None."""
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def printable(text: str) -> str:
    """Return a text on one line, without characters that control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def short(text: str, max_length: int = 60) -> str:
    """Return a text on one line, cut to a number of characters with an ellipsis."""
    line = printable(text)
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"
