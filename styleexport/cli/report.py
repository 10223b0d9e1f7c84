"""`styleexport report`: latency reports as a page, Markdown, CSV or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, document, json_option, talk
from styleexport.core.errors import UsageError

if TYPE_CHECKING:
    from styleexport.runtime_bench.report.formats import Format

FORMATS: tuple[Format, ...] = ("html", "md", "csv", "json-table")


@click.command(
    short_help="Turn latency reports into a page or a table.",
    epilog="Example: styleexport report desktop.json phone.json -o latency.html",
)
@click.argument("reports", nargs=-1, required=True, type=PATH, metavar="REPORT…")
@click.option("-o", "--out", type=PATH, help="File to write.  [default: print]")
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="Output format.  [default: by the suffix of -o, or md]",
)
@click.option(
    "--base",
    metavar="RUNNER",
    help="Compute speed-ups against fp32 on this runner.  [default: each file's own runner]",
)
@json_option
def report(
    reports: tuple[Path, ...], out: Path | None, kind: str | None, base: str | None, as_json: bool
) -> None:
    """Show latency reports of one or several machines, and tables of `styleexport sweep`.

    Measurements of different machines are shown side by side and never compared. --json is
    --format json-table: one object per measurement, times in ns.
    """
    from styleexport.core.files import check_replaceable
    from styleexport.runtime_bench.report.formats import PRODUCTS, read_reports, render, write

    chosen = _format("json-table" if as_json else kind, out)
    if out is not None and out.resolve() in [path.resolve() for path in reports]:
        raise UsageError(f"{out} is one of the reports: choose another place with -o")
    if out is not None:
        check_replaceable(out, PRODUCTS[chosen])
    shown = render(read_reports(reports), chosen, base)
    if out is None:
        document(shown)
        return
    write(shown, chosen, out)
    talk(f"report: {out}")


def _format(kind: str | None, out: Path | None) -> Format:
    from styleexport.runtime_bench.report.formats import format_of

    for known in FORMATS:
        if kind == known:
            return known
    by_suffix = format_of(out) if out is not None else "md"
    if by_suffix is None:
        raise UsageError(
            f"{out} says nothing of a format: expected a suffix .html, .md, .csv or .json; type "
            "for example --format html"
        )
    return by_suffix


SECTION = "measure"
COMMAND = report
