"""Charts in SVG: axes, ticks, lines, markers and text, for a page or as a file.

Colours are CSS classes: a page defines them once, for light and dark; `document` brings its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Fill = Literal["full", "half", "hollow", "dotted"]

# Of series, in order, on a light ground.
COLOURS = ("#1565b0", "#c2334d", "#1c7f4b", "#7a4fb5", "#b06000", "#0b7f8c", "#80592f", "#56616e")
# The classes that a file of its own needs.
DOCUMENT_CSS = (
    "text{font:12px sans-serif;fill:#1b1e22}.title{font-size:15px}.unit{fill:#5c6570}"
    ".ground{fill:#fcfcfa}.grid{stroke:#d9dce0;fill:none}"
    ".line{stroke:currentColor;stroke-width:2;fill:none}.mark,.bar{fill:currentColor}"
    ".mark.hollow{fill:#fcfcfa;stroke:currentColor;stroke-width:2}"
    + "".join(f".c{index}{{color:{value}}}" for index, value in enumerate(COLOURS))
)
# Around (0, 0), about 10 across.
MARKERS = (
    "M-4.4 0A4.4 4.4 0 1 0 4.4 0A4.4 4.4 0 1 0-4.4 0Z",
    "M-4-4H4V4H-4Z",
    "M0-5L5 4H-5Z",
    "M0-5.6L5.6 0L0 5.6L-5.6 0Z",
    "M0 5L-5-4H5Z",
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
    "M-5-2.6L0-5.4L5-2.6V2.6L0 5.4L-5 2.6Z",
    "M-5-5L0-2L5-5L2 0L5 5L0 2L-5 5L-2 0Z",
)


@dataclass(frozen=True)
class Style:
    """Style of a series.

    Attributes:
        series: its number, which chooses the colour and the marker.
        fill: filling of its markers; its line is dashed accordingly.
    """

    series: int
    fill: Fill = "full"

    @property
    def classes(self) -> str:
        """CSS classes of its colour and filling."""
        return f"c{self.series % len(COLOURS)} {self.fill}"

    @property
    def path(self) -> str:
        """Path of its marker, around (0, 0)."""
        turn = self.series // len(COLOURS)
        return MARKERS[(self.series + turn) % len(MARKERS)]


@dataclass(frozen=True)
class Axis:
    """A scale from values to pixels, logarithmic.

    Attributes:
        low: the least value.
        high: the largest.
        start: pixel of the least.
        end: pixel of the largest.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> Axis:
        """Return an axis that holds some positive values with a margin, at least a factor of 2."""
        low, high = min(values), max(values)
        margin = max((high / low) ** 0.06, math.sqrt(2 * low / high) if high < 2 * low else 1.0)
        return cls(low / margin, high * margin, start, end)

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 7) -> tuple[float, ...]:
        """Return round values inside: 1, 2, 5 and tens, thinned to powers of ten where many."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            values = [step * 10.0**power for power in powers for step in steps]
            inside = tuple(value for value in values if self.low <= value <= self.high)
            if len(inside) <= most:
                break
        return inside


@dataclass(frozen=True)
class Linear:
    """A linear scale from values to pixels; its attributes are those of `Axis`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> Linear:
        """Return an axis that holds some values with a margin."""
        low, high = min(values), max(values)
        margin = max(0.08 * (high - low), 1.0)
        return cls(low - margin, high + margin, start, end)

    @classmethod
    def rounded(cls, values: Sequence[float], start: float, end: float) -> Linear:
        """Return an axis that holds some values and begins and ends at a tick."""
        axis = cls(min(values), max(values), start, end)
        step = axis.step()
        low, high = math.floor(axis.low / step + 1e-9), math.ceil(axis.high / step - 1e-9)
        return cls(low * step, high * step, start, end)

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def step(self, most: int = 7) -> float:
        """Return the distance of round values of which about ``most`` lie inside."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / most))
        while (self.high - self.low) / step > most:
            step *= 2 if (self.high - self.low) / (2 * step) > most / 1.3 else 2.5
        return step

    def ticks(self, most: int = 7) -> tuple[float, ...]:
        """Return round values inside."""
        step = self.step(most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(step * i for i in range(first, last + 1))


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text, escaped."""
    marks = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{marks}{place}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def polyline(points: Sequence[tuple[float, float]], kind: str) -> str:
    """Return straight lines from point to point."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{path}"/>'


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Return a filled rectangle."""
    return (
        f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
    )


def marker(x: float, y: float, style: Style, title: str = "") -> str:
    """Return a marker; its title shows where a pointer rests."""
    hint = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<path class="mark {style.classes}" transform="translate({x:.1f} {y:.1f})" '
        f'd="{style.path}">{hint}</path>'
    )


def swatch(style: Style) -> str:
    """Return the key of a series for a legend: a piece of its line with its marker."""
    return (
        '<svg class="swatch" viewBox="0 0 30 14" width="30" height="14" aria-hidden="true">'
        f"{line(1, 7, 29, 7, f'line {style.classes}')}{marker(15, 7, style)}</svg>"
    )


def figure(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """Return the picture; what it shows is said in words for those who do not see it."""
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """Return an SVG file with a title on top, its own colours and a light ground."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f"<style>{DOCUMENT_CSS}</style>{bar(0, 0, width, height, 'ground')}"
        f"{text(10, 22, title, 'title')}{''.join(parts)}</svg>\n"
    )
