"""Rendering of latency reports as HTML, Markdown, CSV and a JSON table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.files import Product, marked_product, replace_file
from styleexport.core.input_files import read_input
from styleexport.runtime_bench.contract.latency import LatencyReport, read_report
from styleexport.runtime_bench.report.groups import Machine, machines_of
from styleexport.runtime_bench.report.markdown import markdown
from styleexport.runtime_bench.report.page import page
from styleexport.runtime_bench.report.rows import as_csv, as_json, rows_of
from styleexport.runtime_bench.report.templates import PAGE

Format = Literal["html", "md", "csv", "json-table"]
SUFFIXES: tuple[tuple[str, Format], ...] = (
    (".html", "html"),
    (".htm", "html"),
    (".md", "md"),
    (".csv", "csv"),
    (".json", "json-table"),
)


def _is_json_table(path: Path) -> bool:
    rows = msgspec.json.decode(read_input(path), type=list[dict[str, msgspec.Raw]])
    return bool(rows) and {"machine", "harness", "runner", "median_ns"} <= set(rows[0])


# The first line of a Markdown file; it is not shown.
MARKDOWN_MARK = "<!-- latency report of styleexport -->\n\n"
PRODUCTS: Mapping[Format, Product] = {
    "html": PAGE,
    "md": marked_product("a latency report in Markdown", MARKDOWN_MARK.encode()),
    "csv": marked_product("a latency table", b"machine,harness,created,network,role,target,"),
    "json-table": Product("a latency table", _is_json_table),
}
SWEEP_SUFFIXES = (".sqlite", ".sqlite3", ".db")


def read_reports(paths: Sequence[Path]) -> tuple[LatencyReport, ...]:
    """Return the reports of JSON files and of sweep tables (SQLite).

    Raises:
        BadArtifact: a file is not a report, or of another schema version.
        UsageError: the table of a sweep holds no report.
    """
    result: list[LatencyReport] = []
    for path in paths:
        is_sweep = path.suffix.lower() in SWEEP_SUFFIXES
        result += _sweep_reports(path) if is_sweep else (read_report(path),)
    return tuple(result)


def render(reports: Sequence[LatencyReport], kind: Format, base: str | None = None) -> str:
    """Return reports in a format.

    Args:
        reports: one report or more.
        kind: output format.
        base: runner whose fp32 file speed-ups are relative to; None takes each runner's own.

    Raises:
        UsageError: no cell was measured in fp32 on the runner ``base``.
    """
    machines = machines_of(reports)
    if base is not None:
        _check_base(machines, base)
    if kind == "html":
        return page(machines, base)
    if kind == "md":
        return markdown(machines)
    rows = rows_of(machines)
    return as_csv(rows) if kind == "csv" else as_json(rows)


def write(shown: str, kind: Format, path: Path) -> None:
    """Write a rendered report atomically; only one of the same format is replaced.

    Raises:
        UsageError: something else is at the path.
        DeviceError: it cannot be written.
    """
    with replace_file(path, PRODUCTS[kind]) as part:
        part.write_bytes(((MARKDOWN_MARK if kind == "md" else "") + shown).encode())


def format_of(path: Path) -> Format | None:
    """Return the output format of a file's suffix; None for an unknown suffix."""
    return dict(SUFFIXES).get(path.suffix.lower())


def _sweep_reports(path: Path) -> Sequence[LatencyReport]:
    from styleexport.runtime_bench.sweep import reports

    result = reports(path)
    if not result:
        raise UsageError(f"{path} holds no report yet: run `styleexport sweep` to its end")
    return result


def _check_base(machines: Sequence[Machine], base: str) -> None:
    measured = [e for m in machines for e in m.entries if e.summary]
    known = {e.cell.runner_label for e in measured if e.cell.subject.precision == "fp32"}
    runners = known | {label.split(":")[0] for label in known}
    if base not in runners:
        raise UsageError(
            f"no cell was measured in fp32 on {base!r}: expected one of "
            f"{', '.join(sorted(runners)) or 'none, there is no fp32 cell'}; leave --base out"
        )
