"""Contents of the page's cards and tables, which the templates lay out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup


@dataclass(frozen=True)
class TableCell:
    """One cell of a table.

    Attributes:
        text: value, or the name of a series.
        note: second line in smaller type; "" for none.
        emphasis: CSS class of the text.
        graphic: SVG below the text; None for none.
        swatch: SVG before the text, the legend key of a series; None for other cells.
    """

    text: str = ""
    note: str = ""
    emphasis: Literal["", "best", "bad"] = ""
    graphic: Markup | None = None
    swatch: Markup | None = None


@dataclass(frozen=True)
class Table:
    """A table that scrolls sideways where it is too wide.

    Attributes:
        header: column titles.
        rows: cells of each row, as many as there are columns.
        is_prose: whether the cells hold sentences, which wrap and are aligned to the left.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str | TableCell, ...], ...]
    is_prose: bool = False


@dataclass(frozen=True)
class Card:
    """A titled box: a chart, a table, and further cards that unfold on a click.

    Attributes:
        title: heading, or the summary line of a folded card.
        table: table below the chart.
        chart: SVG; None for none.
        folded: cards that are hidden until their title is clicked.
        row: cards with one row stand side by side, one a machine; "" where it does not matter.
    """

    title: str
    table: Table
    chart: Markup | None = None
    folded: tuple[Card, ...] = ()
    row: str = ""
