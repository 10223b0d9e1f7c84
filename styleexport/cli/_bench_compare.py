"""`styleexport bench compare`: changes of latency, size and parity between two reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, say, talk
from styleexport.cli._types import SHARE
from styleexport.core.errors import Regression, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from styleexport.runtime_bench.report.comparison import Attribute, CellComparison

HEADER = ("cell", "before", "after", "change", "95 % interval", "p", "verdict")


@click.command(
    short_help="Compare two latency reports.",
    epilog="Example: styleexport bench compare before.json after.json --fail-above 10%",
)
@click.argument("before", type=PATH)
@click.argument("after", type=PATH, required=False)
@click.option(
    "--by",
    type=click.Choice(("precision", "runner")),
    help="Compare cells within BEFORE that differ in this alone.",
)
@click.option(
    "--fail-above",
    type=SHARE,
    help="Exit 5 if a cell became slower (beyond noise), larger or less accurate by more than "
    "this, such as 10%, or can no longer be measured.",
)
@click.option("--across-machines", is_flag=True, help="Allow reports of different machines.")
@json_option
def compare(
    before: Path,
    after: Path | None,
    by: Attribute | None,
    fail_above: float | None,
    across_machines: bool,
    as_json: bool,
) -> None:
    """Compare the report AFTER with the report BEFORE, cell by cell, or the cells of one with --by.

    Differences are judged by a permutation test over the rounds and a bootstrap interval. Of 20
    equal cells about one differs by chance: look at the size of the change, and measure again.
    """
    if after is not None and by is None:
        _compare_two(before, after, fail_above, across_machines, as_json)
    elif after is None and by is not None:
        _compare_within(before, by, as_json)
    else:
        raise UsageError(
            "expected a second report, or what to compare the cells of one by: type "
            "`styleexport bench compare before.json after.json` or "
            "`styleexport bench compare report.json --by precision`"
        )


def _compare_two(
    before: Path, after: Path, fail_above: float | None, across_machines: bool, as_json: bool
) -> None:
    from styleexport.runtime_bench.contract.latency import read_report
    from styleexport.runtime_bench.report.comparison import compare_reports, regressions
    from styleexport.runtime_bench.report.conditions import notes

    first, second = read_report(before), read_report(after)
    comparisons = compare_reports(
        first, second, fail_above=fail_above, across_machines=across_machines
    )
    for line in notes(first, second):
        talk(line)
    print_json(comparisons) if as_json else _print({cell.name: cell for cell in comparisons})
    worse = regressions(comparisons)
    if worse:
        others = f"; {len(worse) - 1} more" if len(worse) > 1 else ""
        remedy = "find what changed, or allow more with --fail-above"
        raise Regression(f"{next(iter(worse))}{others}; {remedy}")


def _compare_within(report: Path, by: Attribute, as_json: bool) -> None:
    from styleexport.runtime_bench.contract.latency import read_report
    from styleexport.runtime_bench.report.comparison import compare_within

    comparisons = compare_within(read_report(report), by)
    print_json(comparisons) if as_json else _print(
        {f"{item.cells.name}, then {item.second}": item.cells for item in comparisons}
    )


def _print(comparisons: Mapping[str, CellComparison]) -> None:
    print_table(HEADER, [(name, *_figures(cell)) for name, cell in comparisons.items()])
    for name, cell in comparisons.items():
        for line in (*cell.differences, *cell.regressions):
            say(f"{name}: {line}")


def _figures(cell: CellComparison) -> tuple[str, ...]:
    from styleexport.runtime_bench.report.number_format import (
        UNKNOWN_INTERVAL,
        change,
        milliseconds,
    )

    latency = cell.latency
    if latency is None:
        return (cell.before or "-", cell.after or "-", "-", "-", "-", "not compared")
    return (
        milliseconds(latency.before_ns),
        milliseconds(latency.after_ns),
        change(latency.ratio - 1),
        UNKNOWN_INTERVAL
        if latency.too_few
        else f"{change(latency.low - 1)} to {change(latency.high - 1)}",
        "-" if latency.too_few else f"{latency.p_value:.3f}",
        "REGRESSION" if cell.regressions else latency.verdict,
    )
