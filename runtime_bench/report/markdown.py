"""Latency reports as Markdown, for a README or a pull request comment."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from styleexport.core.types import Size
from styleexport.runtime_bench.report import number_format
from styleexport.runtime_bench.report.groups import Entry, Machine, Panel
from styleexport.runtime_bench.report.summary import fastest, summary_table
from styleexport.runtime_bench.report.table import TableCell

LEGEND = (
    "Median of inference and its 95 % interval. Parity: PSNR to the float network on the worst "
    "probe; quality: pooled over the quality pictures; one a size where they differ."
)


def markdown(machines: Sequence[Machine]) -> str:
    """Return the summary, a table for each network and role, and the unmeasured cells.

    Args:
        machines: one machine or more; they stand side by side in each table.
    """
    blocks = [_summary(machines), LEGEND]
    panels = [panel for machine in machines for panel in machine.panels if panel.measured]
    for title in dict.fromkeys(panel.title for panel in panels):
        blocks.append(_table([panel for panel in panels if panel.title == title]))
    missing = [line for machine in machines for line in _unmeasured(machine)]
    if missing:
        blocks.append("Not measured:\n\n" + "\n".join(missing))
    return "\n\n".join(blocks) + "\n"


def _summary(machines: Sequence[Machine]) -> str:
    table = summary_table(machines)
    lines = [row(*table.header), row(*("---" for _ in table.header))]
    return "\n".join([*lines, *(row(*map(_text, cells)) for cells in table.rows)])


def _text(cell: str | TableCell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


def _table(panels: Sequence[Panel]) -> str:
    """Return the cells of one network and role: a row a series, a column a machine and size."""
    columns = [(panel, size) for panel in panels for size in panel.sizes]
    best = [fastest(panel, size) for panel, size in columns]
    lines = [
        row(
            panels[0].title,
            *(_column_title(panel, size) for panel, size in columns),
            *("file", "parity", "quality"),
        ),
        row("---", *("---:" for _ in columns), "---:", "---:", "---:"),
    ]
    for name in dict.fromkeys(name for panel in panels for name in panel.series):
        entries = [panel.at(name, size) for panel, size in columns]
        files = [entry for entry in entries if entry]
        cells = (_cell(entry, bold=entry in best) for entry in entries)
        facts = (
            [number_format.megabytes(file.cell.subject.size_bytes) for file in files],
            [number_format.decibels(file.parity_db) for file in files],
            [number_format.decibels(file.cell.subject.quality_db) for file in files],
        )
        # The cells are Markdown already: escaped once.
        lines.append(row(name) + f" {' | '.join(cells)} " + row(*map(_by_size, facts)))
    return "\n".join(lines)


def _column_title(panel: Panel, size: Size) -> str:
    return str(size) if panel.alone else f"{size}, {panel.machine}"


def _cell(entry: Entry | None, *, bold: bool) -> str:
    if entry is None or entry.summary is None:
        return "-"
    value = number_format.milliseconds(entry.summary.median_ns)
    return f"{f'**{value}**' if bold else value} ({number_format.interval(entry.summary)})"


def _by_size(texts: Sequence[str]) -> str:
    """Return the figures of a series' files, one a measured size, or the one that all share."""
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _unmeasured(machine: Machine) -> Iterator[str]:
    where = "" if machine.alone else f"{machine.name}: "
    for panel in machine.panels:
        for entry in panel.entries:
            if entry.summary is None:
                why = entry.cell.message or "no reason was given"
                what = f"{where}{panel.title} {entry.size} on {entry.series}"
                yield f"- {plain(what)}: {entry.cell.status}, {plain(why)}"


def row(*cells: str) -> str:
    """Return a row of a table, its cells escaped."""
    return f"| {' | '.join(plain(cell) for cell in cells)} |"


def plain(text: str) -> str:
    """Return a text on one line, escaped so that Markdown shows it literally."""
    escaped = html.escape(number_format.printable(text), quote=False)
    return re.sub(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w)|!(?=\[)|@)", r"\\\1", escaped)
