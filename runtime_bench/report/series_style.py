"""Which colour, marker and filling a cell has, the same in all charts of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from styleexport.core.svg import Fill, Style, swatch
from styleexport.core.types import Precision
from styleexport.runtime_bench.report.groups import Entry, Machine
from styleexport.runtime_bench.report.markup import Html, tag

FILLS: Mapping[Precision, Fill] = {
    Precision.FP32: "full",
    Precision.FP16: "half",
    Precision.INT8: "hollow",
    Precision.AUTO: "hollow",
}


@dataclass(frozen=True)
class Look:
    """The runners of a page, each with its number."""

    runners: tuple[str, ...]

    @classmethod
    def of(cls, machines: Sequence[Machine]) -> Look:
        """Return the look of some machines' runners, in the order of the reports."""
        labels = (e.cell.runner_label for m in machines for e in m.entries if e.summary)
        return cls(tuple(dict.fromkeys(labels)))

    def style(self, entry: Entry) -> Style:
        """Return how a cell is drawn: coloured by its runner, filled by its precision."""
        fill = FILLS.get(entry.cell.subject.precision, "dotted")
        return Style(self.runners.index(entry.cell.runner_label), fill)

    def name(self, entry: Entry) -> Html:
        """Return the series of a cell with its key; settings of the runner stand below."""
        cell = entry.cell
        settings = cell.runner_label.partition(":")[2]
        name = entry.series.replace(f":{settings}", "", 1) if settings else entry.series
        below = tag("small", settings.replace(",", ", ")) if settings else ""
        return tag("div", Html(swatch(self.style(entry))), tag("span", name, below), kind="name")
