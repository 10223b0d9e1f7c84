"""Colour, marker and fill of each series, the same in all charts of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from styleexport.core.svg import Fill, Style, swatch
from styleexport.core.types import Precision
from styleexport.runtime_bench.report.groups import Entry, Machine
from styleexport.runtime_bench.report.table import TableCell

FILLS: Mapping[Precision, Fill] = {
    Precision.FP32: "full",
    Precision.FP16: "half",
    Precision.INT8: "hollow",
    Precision.AUTO: "hollow",
}


@dataclass(frozen=True)
class SeriesStyles:
    """Styles of the series of a page.

    Attributes:
        runners: runners, each with the format of its files; the index of one is its colour and
            marker.
    """

    runners: tuple[str, ...]

    @classmethod
    def of(cls, machines: Sequence[Machine]) -> SeriesStyles:
        """Return the styles of all measured runners, in the order of the reports."""
        labels = (e.runner for m in machines for e in m.entries if e.summary)
        return cls(tuple(dict.fromkeys(labels)))

    def style(self, entry: Entry) -> Style:
        """Return the style of a cell: colour and marker by runner, fill by precision."""
        fill = FILLS.get(entry.cell.subject.precision, "dotted")
        return Style(self.runners.index(entry.runner), fill)

    def label(self, entry: Entry) -> TableCell:
        """Return the table cell that names a series, with its legend key and runner settings."""
        settings = entry.cell.runner_label.partition(":")[2]
        name = entry.series.replace(f":{settings}", "", 1) if settings else entry.series
        swatch_svg = Markup(swatch(self.style(entry)))
        return TableCell(name, settings.replace(",", ", "), swatch=swatch_svg)
