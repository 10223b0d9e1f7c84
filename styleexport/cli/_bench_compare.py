"""`styleexport bench compare`: changes of latency, size and parity between reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, say, talk
from styleexport.cli._types import SHARE
from styleexport.core.errors import Regression, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from styleexport.runtime_bench.report.comparison import Attribute, CellComparison
    from styleexport.runtime_bench.report.history import History

HEADER = ("cell", "before", "after", "change", "95 % interval", "p", "verdict")
EXAMPLE = """\b
Example: styleexport bench compare before.json after.json --fail-above 10%
         styleexport bench compare reports/ -o history.html
"""


@click.command(short_help="Compare latency reports.", epilog=EXAMPLE)
@click.argument("reports", type=PATH, nargs=-1, required=True, metavar="REPORT|FOLDER...")
@click.option(
    "--by",
    type=click.Choice(("precision", "runner")),
    help="Compare cells within one report that differ in this alone.",
)
@click.option(
    "--fail-above",
    type=SHARE,
    help="Exit 5 if a cell or the suite became slower (beyond noise), or a cell larger or less "
    "accurate, by more than this, such as 10%, or can no longer be measured.",
)
@click.option("--across-machines", is_flag=True, help="Allow reports of different machines.")
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="Draw the course over all reports: .html, or .md with an .svg beside it.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing history.")
@json_option
def compare(
    reports: tuple[Path, ...],
    by: Attribute | None,
    fail_above: float | None,
    across_machines: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare a report with an earlier one, cell by cell and by the geometric mean of the suite.

    More than two reports, those of a FOLDER or -o give a history: the course of every cell in the
    order of measuring, by the commit that names the file (3f2a9c1.json); --fail-above then
    compares the last two. With --by, the cells of one report are compared.

    Differences are judged by a permutation test over the rounds and a bootstrap interval. Of 20
    equal cells about one differs by chance: look at the size of the change, and measure again.
    """
    from styleexport.runtime_bench.report.history import report_files

    files = report_files(reports)
    if by is not None and len(files) == 1:
        _compare_within(files[0], by, as_json)
    elif by is not None or len(files) < 2:
        raise UsageError(
            "expected a second report, or what to compare the cells of one by: type "
            "`styleexport bench compare before.json after.json` or "
            "`styleexport bench compare report.json --by precision`"
        )
    elif len(files) == 2 and out is None and not any(path.is_dir() for path in reports):
        _compare_two(files, fail_above, across_machines, as_json)
    else:
        _check_free(out, overwrite)
        _compare_many(files, fail_above, across_machines, out, as_json)


def _check_free(out: Path | None, overwrite: bool) -> None:
    """Check that a history may be written.

    Raises:
        UsageError: it may not.
    """
    from styleexport.runtime_bench.report.history_page import check_history_path

    if out is not None:
        check_history_path(out)
        if out.exists() and not overwrite:
            raise UsageError(f"{out} is there already: add --overwrite or choose another with -o")


def _compare_two(
    files: Sequence[Path], fail_above: float | None, across_machines: bool, as_json: bool
) -> None:
    from styleexport.runtime_bench.contract.latency import read_report
    from styleexport.runtime_bench.report.comparison import compare_reports, regressions
    from styleexport.runtime_bench.report.conditions import notes
    from styleexport.runtime_bench.report.suite import mean_text, suite_mean, suite_regression

    first, second = (read_report(path) for path in files)
    comparisons = compare_reports(
        first, second, fail_above=fail_above, across_machines=across_machines
    )
    for line in notes(first, second):
        talk(line)
    mean = suite_mean(first, second)
    if as_json:
        print_json({"cells": comparisons, "geometric_mean": mean})
    else:
        _print({cell.name: cell for cell in comparisons})
        if mean is not None:
            say(f"geometric mean of {mean_text(mean)}, {mean.verdict}")
    _refuse((*regressions(comparisons), *suite_regression(mean, fail_above)))


def _compare_many(
    files: Sequence[Path],
    fail_above: float | None,
    across_machines: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from styleexport.runtime_bench.report.comparison import compare_reports, regressions
    from styleexport.runtime_bench.report.conditions import notes
    from styleexport.runtime_bench.report.history import history_of, read_moments
    from styleexport.runtime_bench.report.history_page import write_history
    from styleexport.runtime_bench.report.suite import suite_mean, suite_regression

    moments = read_moments(files)
    history = history_of(moments, across_machines=across_machines)
    before, after = moments[-2].report, moments[-1].report
    for line in notes(before, after):
        talk(line)
    print_json(history) if as_json else _print_history(history)
    for path in write_history(history, out) if out is not None else ():
        talk(f"history: {path}")
    if fail_above is not None:
        compared = compare_reports(
            before, after, fail_above=fail_above, across_machines=across_machines
        )
        mean = suite_mean(before, after)
        _refuse((*regressions(compared), *suite_regression(mean, fail_above)))


def _refuse(worse: Sequence[str]) -> None:
    """Fail where something became worse.

    Raises:
        Regression: something did.
    """
    if worse:
        others = f"; {len(worse) - 1} more" if len(worse) > 1 else ""
        remedy = "find what changed, or allow more with --fail-above"
        raise Regression(f"{worse[0]}{others}; {remedy}")


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


def _print_history(history: History) -> None:
    from styleexport.runtime_bench.report.history_charts import panels_of
    from styleexport.runtime_bench.report.history_page import HEADER as COURSES
    from styleexport.runtime_bench.report.history_page import rows_of
    from styleexport.runtime_bench.report.suite import mean_text

    say(f"{len(history.labels)} reports: {', '.join(history.labels)}")
    for panel, courses in panels_of(history).items():
        say(panel)
        print_table(COURSES, rows_of(courses))
    for label, mean in zip(history.labels[1:], history.means[1:], strict=True):
        say(f"{label}, since {history.labels[0]}: geometric mean of {mean_text(mean)}")


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
