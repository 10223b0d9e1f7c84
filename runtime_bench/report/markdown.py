"""Latency reports as Markdown, for a README or a pull request comment."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from styleexport.runtime_bench.report import number_format
from styleexport.runtime_bench.report.groups import Entry, Machine, Panel
from styleexport.runtime_bench.report.headline import fastest, headline


def markdown(machines: Sequence[Machine]) -> str:
    """Return the headline, a table for each machine, network and role, and the unmeasured cells.

    Args:
        machines: one machine or more.
    """
    blocks = ["\n".join(f"- {plain(line)}" for line in headline(machines))]
    for machine in machines:
        blocks.append(f"### {plain(machine.name)}\n\n{plain(_conditions(machine))}")
        blocks += [_table(panel) for panel in machine.panels if panel.measured]
        if missing := list(_unmeasured(machine)):
            blocks.append("Not measured:\n\n" + "\n".join(missing))
    return "\n\n".join(blocks) + "\n"


def _table(panel: Panel) -> str:
    sizes = panel.sizes
    best = [fastest(panel, size) for size in sizes]
    lines = [
        row(panel.title, *map(str, sizes), "file", "parity", "quality"),
        row("---", *("---:" for _ in sizes), "---:", "---:", "---:"),
    ]
    for name in panel.series:
        entries = [panel.at(name, size) for size in sizes]
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


def _cell(entry: Entry | None, *, bold: bool) -> str:
    if entry is None or entry.summary is None:
        return "-"
    value = number_format.milliseconds(entry.summary.median_ns)
    return f"{f'**{value}**' if bold else value} ({number_format.interval(entry.summary)})"


def _by_size(texts: Sequence[str]) -> str:
    """Return the figures of a series' files, one a measured size, or the one that all share."""
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _conditions(machine: Machine) -> str:
    report = machine.reports[0]
    fact, protocol = report.machine, report.protocol
    turns = "interleaved" if protocol.interleaved else "one cell after the other"
    return (
        f"{fact.processor}, {fact.cores} logical cores, {fact.os}. Median of inference and its "
        f"95 % interval, {protocol.rounds} rounds of {protocol.seconds:g} s, {turns}; PSNR to the "
        "float network on the worst probe (parity) and pooled over the quality pictures "
        "(quality), one a size where they differ; styleexport "
        f"{report.harness.version}, {report.created[:10]}."
    )


def _unmeasured(machine: Machine) -> Iterator[str]:
    for panel in machine.panels:
        for entry in panel.entries:
            if entry.summary is None:
                why = entry.cell.message or "no reason was given"
                what = f"{panel.title} {entry.size} on {entry.series}"
                yield f"- {plain(what)}: {entry.cell.status}, {plain(why)}"


def row(*cells: str) -> str:
    """Return a row of a table, its cells escaped."""
    return f"| {' | '.join(plain(cell) for cell in cells)} |"


def plain(text: str) -> str:
    """Return a text on one line, escaped so that Markdown shows it literally."""
    escaped = html.escape(number_format.printable(text), quote=False)
    return re.sub(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w)|!(?=\[)|@)", r"\\\1", escaped)
