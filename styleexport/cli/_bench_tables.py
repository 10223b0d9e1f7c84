"""Tables of a measurement, as `styleexport bench` prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from styleexport.cli._common import print_table, say

if TYPE_CHECKING:
    from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport

HEADER = (
    "network",
    "role",
    "file",
    "runner",
    "batch",
    "median ms",
    "95 % interval",
    "min",
    "p90",
    "first",
    "load",
    "peak MB",
    "PSNR dB",
    "status",
)


def print_reports(measured: Sequence[LatencyReport]) -> None:
    """Print the cells of each report, by size, and why some were not measured."""
    for report in measured:
        if len(measured) > 1:
            say(f"{report.machine.device}, {report.machine.os}")
        _print_cells(report)


def _print_cells(report: LatencyReport) -> None:
    for size in dict.fromkeys(cell.size.size() for cell in report.cells):
        say(f"{size}, {report.protocol.rounds} rounds")
        print_table(HEADER, [_row(cell) for cell in report.cells if cell.size.size() == size])
    for cell in report.cells:
        if cell.message:
            say(error_line(cell))


def _row(cell: CellFact) -> tuple[str, ...]:
    from styleexport.runtime_bench.report.number_format import interval
    from styleexport.runtime_bench.stats import summarise

    psnr = f"{cell.parity.measured_db:.1f}" if cell.parity else "-"
    kind = f"{cell.subject.target} {cell.subject.precision}"
    head = (cell.subject.network, cell.subject.role, kind, cell.runner_label, str(cell.batch))
    if cell.status != "measured":
        return (*head, *["-"] * 7, psnr, cell.status)
    figures = summarise(cell.rounds_ns)
    first, load, peak = cell.first_ns or 0, max(cell.loads_ns[:1], default=0), cell.peak_rss_bytes
    return (
        *head,
        _ms(figures.median_ns),
        interval(figures),
        *(_ms(value) for value in (figures.min_ns, figures.p90_ns, first, load)),
        f"{peak / 1e6:.0f}" if peak else "-",
        psnr,
        cell.status,
    )


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.2f}"


def error_line(cell: CellFact) -> str:
    """Return why a cell was not measured."""
    return f"{cell.subject.path} on {cell.runner_label}: {cell.message}"
