"""`styleexport bench compare`: did a file, a runtime or a network become slower?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, talk
from styleexport.core.errors import Regression, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from styleexport.runtime_bench.report.comparison import Attribute, CellComparison

HEADER = ("cell", "before", "after", "change", "95 % interval", "p", "verdict")


def _share(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Return ``10%`` and ``0.1`` as 0.1."""
    if text is None:
        return None
    number, per_cent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        value = float(number) / (100 if per_cent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        raise UsageError(
            f"--fail-above {text!r} is not a share: expected 0 % to 1000 %, written 10% or 0.1; "
            "type --fail-above 10%"
        )
    return value


@click.command(epilog="Example: styleexport bench compare before.json after.json --fail-above 10%")
@click.argument("before", type=PATH)
@click.argument("after", type=PATH, required=False)
@click.option(
    "--by",
    type=click.Choice(("precision", "runner")),
    help="Compare cells of BEFORE alone, which differ in this only.",
)
@click.option(
    "--fail-above",
    metavar="SHARE",
    callback=_share,
    help="Exit 5 where a cell became slower (beyond noise), larger or further from the "
    "float network by more, or can no longer be measured: 10%.",
)
@click.option("--across-machines", is_flag=True, help="Compare reports of different machines.")
@json_option
def compare(
    before: Path,
    after: Path | None,
    by: Attribute | None,
    fail_above: float | None,
    across_machines: bool,
    as_json: bool,
) -> None:
    """Compare the report AFTER with the report BEFORE, cell by cell; or the cells of one, --by.

    Cells are told apart by a permutation test of their rounds and a bootstrap interval; of 20 equal
    ones chance parts about one, so look at how far, and measure again.
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
    from styleexport.runtime_bench.report.number_format import printable

    first, second = read_report(before), read_report(after)
    found = compare_reports(first, second, fail_above=fail_above, across_machines=across_machines)
    for line in notes(first, second):
        talk(printable(line))
    print_json(found) if as_json else _print({cell.name: cell for cell in found})
    worse = regressions(found)
    if worse:
        others = f"; {len(worse) - 1} more" if len(worse) > 1 else ""
        remedy = "find what changed, or allow more with --fail-above"
        raise Regression(f"{printable(next(iter(worse)))}{others}; {remedy}")


def _compare_within(report: Path, by: Attribute, as_json: bool) -> None:
    from styleexport.runtime_bench.contract.latency import read_report
    from styleexport.runtime_bench.report.comparison import compare_within

    found = compare_within(read_report(report), by)
    print_json(found) if as_json else _print(
        {f"{item.cells.name}, then {item.second}": item.cells for item in found}
    )


def _print(found: Mapping[str, CellComparison]) -> None:
    from styleexport.runtime_bench.report.number_format import printable

    print_table(HEADER, [(printable(name), *_figures(cell)) for name, cell in found.items()])
    for name, cell in found.items():
        for line in (*cell.differences, *cell.regressions):
            click.echo(printable(f"{name}: {line}"))


def _figures(cell: CellComparison) -> tuple[str, ...]:
    from styleexport.runtime_bench.report.number_format import change, milliseconds

    latency = cell.latency
    if latency is None:
        return (cell.before or "-", cell.after or "-", "-", "-", "-", "not compared")
    return (
        milliseconds(latency.before_ns),
        milliseconds(latency.after_ns),
        change(latency.ratio - 1),
        f"{change(latency.low - 1)} to {change(latency.high - 1)}",
        f"{latency.p_value:.3f}",
        "REGRESSION" if cell.regressions else latency.verdict,
    )
