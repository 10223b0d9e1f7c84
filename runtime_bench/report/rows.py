"""Rows of a cell and all its statistics: for CSV, for JSON, and for the table of the page."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from styleexport.runtime_bench.report import number_format
from styleexport.runtime_bench.report.groups import Entry, Machine
from styleexport.runtime_bench.stats import median

HEADER = (
    "network", "role", "size", "batch", "runner", "threads", "status", "samples", "median",
    "95 % interval", "min", "mean", "p90", "p99", "iqr", "outliers", "drift", "first", "cold load",
    "warm load", "before", "after", "file", "peak memory",
)  # fmt: skip
# First characters by which spreadsheets take a text for a formula.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class CellRow:
    """A cell and its statistics; None for values that were not measured or are unknown.

    Attributes:
        low_ns: lower end of the 95 % interval of the median.
        high_ns: upper end.
        drift_share: drift from the first round to the last, as a share of the median.
        load_cold_ns: duration of the first load.
        load_warm_ns: median duration of later loads.
        pre_ns: median preprocessing time.
        post_ns: median postprocessing time.
        gmacs_per_second: GMAC/s at the median time.
        settings: runtime settings in effect, ``name=value;…``.
    """

    machine: str
    harness: str
    created: str
    network: str
    role: str
    target: str
    precision: str
    height: int
    width: int
    batch: int
    runner: str
    settings: str
    status: str
    message: str
    samples: int | None
    rounds: int | None
    median_ns: float | None
    low_ns: float | None
    high_ns: float | None
    p90_ns: float | None
    p99_ns: float | None
    min_ns: int | None
    mean_ns: float | None
    iqr_ns: float | None
    outliers: int | None
    drift_share: float | None
    first_ns: int | None
    load_cold_ns: int | None
    load_warm_ns: float | None
    compile_ns: int | None
    pre_ns: float | None
    post_ns: float | None
    peak_rss_bytes: int | None
    idle_rss_bytes: int | None
    size_bytes: int
    parameters: int
    macs: int
    int8_mac_share: float
    gmacs_per_second: float | None
    parity_db: float | None
    quality_db: float | None
    style_change: float | None
    energy_joules: float | None
    path: str
    sha256: str


def rows_of(machines: Sequence[Machine]) -> tuple[CellRow, ...]:
    """Return the rows of some machines, in the order of their reports."""
    return tuple(_row(machine.name, entry) for machine in machines for entry in machine.entries)


def as_csv(rows: Sequence[CellRow]) -> str:
    """Return rows as CSV with a header; lines end in CR LF (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([field.name for field in dataclasses.fields(CellRow)])
    for row in rows:
        writer.writerow([_no_formula(value) for value in dataclasses.astuple(row)])
    return out.getvalue()


def as_json(rows: Sequence[CellRow]) -> str:
    """Return rows as a JSON list of objects."""
    return msgspec.json.format(msgspec.json.encode(rows), indent=1).decode() + "\n"


def table_row(entry: Entry) -> tuple[str, ...]:
    """Return a cell's row of the table under `HEADER`, formatted."""
    cell, summary = entry.cell, entry.summary
    head = (
        cell.subject.network,
        cell.subject.role.value,
        str(entry.size),
        str(cell.batch),
        entry.series,
        cell.effective.get("threads", "-"),
        cell.status,
    )
    if summary is None:
        return (*head, *("-" for _ in HEADER[len(head) :]))
    loads = cell.loads_ns
    times = (summary.min_ns, summary.mean_ns, summary.p90_ns, summary.p99_ns, summary.iqr_ns)
    after = (
        cell.first_ns,
        loads[0] if loads else None,
        _median(loads[1:]),
        _median(cell.pre_ns),
        _median(cell.post_ns),
    )
    return (
        *head,
        str(summary.count),
        number_format.bare_milliseconds(summary.median_ns),
        number_format.interval(summary),
        *map(number_format.bare_milliseconds, times),
        str(summary.outliers),
        number_format.change(summary.drift),
        *map(number_format.bare_milliseconds, after),
        *map(number_format.bare_megabytes, (cell.subject.size_bytes, cell.peak_rss_bytes)),
    )


def _row(machine: str, entry: Entry) -> CellRow:
    cell, subject, summary = entry.cell, entry.cell.subject, entry.summary
    figures = dataclasses.asdict(summary) if summary else {}
    return CellRow(
        machine=machine,
        harness=entry.report.harness.name,
        created=entry.report.created,
        network=subject.network,
        role=subject.role.value,
        target=subject.target,
        precision=subject.precision.value,
        height=entry.size.height,
        width=entry.size.width,
        batch=cell.batch,
        runner=cell.runner_label,
        settings=";".join(f"{name}={value}" for name, value in sorted(cell.effective.items())),
        status=cell.status,
        message=cell.message,
        samples=figures.get("count"),
        rounds=figures.get("rounds"),
        median_ns=figures.get("median_ns"),
        low_ns=figures.get("low_ns"),
        high_ns=figures.get("high_ns"),
        p90_ns=figures.get("p90_ns"),
        p99_ns=figures.get("p99_ns"),
        min_ns=figures.get("min_ns"),
        mean_ns=figures.get("mean_ns"),
        iqr_ns=figures.get("iqr_ns"),
        outliers=figures.get("outliers"),
        drift_share=figures.get("drift"),
        first_ns=cell.first_ns,
        load_cold_ns=cell.loads_ns[0] if cell.loads_ns else None,
        load_warm_ns=_median(cell.loads_ns[1:]),
        compile_ns=cell.compile_ns,
        pre_ns=_median(cell.pre_ns),
        post_ns=_median(cell.post_ns),
        peak_rss_bytes=cell.peak_rss_bytes,
        idle_rss_bytes=cell.idle_rss_bytes,
        size_bytes=subject.size_bytes,
        parameters=subject.parameters,
        macs=subject.macs,
        int8_mac_share=subject.int8_mac_share,
        gmacs_per_second=entry.gmacs,
        parity_db=cell.parity.measured_db if cell.parity else None,
        quality_db=subject.quality_db,
        style_change=subject.style_change,
        energy_joules=cell.energy_joules,
        path=subject.path,
        sha256=subject.sha256,
    )


def _median(samples: Sequence[int]) -> float | None:
    return median(samples) if samples else None


def _no_formula(value: str | float | None) -> str | float | None:
    """Return a value that spreadsheets do not evaluate."""
    is_formula = isinstance(value, str) and value.startswith(FORMULA_PREFIXES)
    return f"'{value}" if is_formula else value
