"""Figures in the words that the terminal, pages and Markdown share."""

from __future__ import annotations

from styleexport.runtime_bench.stats import Summary


def milliseconds(value_ns: float) -> str:
    """Return a time in ms, with four digits that count: ``1.234 ms``."""
    return f"{_four(value_ns / 1e6)} ms"


def bare(value_ns: float) -> str:
    """Return a time in ms without its unit, for a table that names it."""
    return _four(value_ns / 1e6)


def interval(summary: Summary) -> str:
    """Return the 95 % interval of the median in ms: ``12.10 to 12.41``."""
    return f"{_four(summary.low_ns / 1e6)} to {_four(summary.high_ns / 1e6)}"


def megabytes(count: float | None) -> str:
    """Return bytes in MB, powers of ten; a dash for None."""
    return (
        "-"
        if count is None
        else f"{count / 1e6:.{2 if count < 1e7 else 1 if count < 1e8 else 0}f} MB"
    )


def decibels(value: float | None) -> str:
    """Return a figure in dB; a dash for None."""
    return "-" if value is None else f"{value:.1f} dB"


def change(value: float | None) -> str:
    """Return a share as a change in percent, signed; a dash for None."""
    return "-" if value is None else f"{100 * value:+.1f} %"


def share(value: float | None) -> str:
    """Return a share in percent; a dash for None."""
    return "-" if value is None else f"{100 * value:.0f} %"


def times(value: float) -> str:
    """Return a factor: ``1.82×``."""
    return f"{value:.2f}×" if value < 10 else f"{value:.1f}×"


def gmacs(value: float | None) -> str:
    """Return a rate in GMAC/s; a dash for None."""
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def printable(text: str) -> str:
    """Return a text on one line without what would steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def short(text: str, most: int = 60) -> str:
    """Return a text of at most so many characters, on one line."""
    line = printable(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _four(value: float) -> str:
    digits = 3 if value < 10 else 2 if value < 100 else 1 if value < 1000 else 0
    return f"{value:.{digits}f}"
