"""Pictures, parity, unmeasured cells, all figures, and the machines that were measured on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from styleexport.runtime_bench.contract.doubts import doubts_of_report
from styleexport.runtime_bench.contract.latency import LatencyReport, StateFact
from styleexport.runtime_bench.report import number_format
from styleexport.runtime_bench.report.groups import Entry, Machine, Panel, by_area
from styleexport.runtime_bench.report.rows import HEADER, table_row
from styleexport.runtime_bench.report.table import Card, Table, TableCell

BUILDS = {True: "a debug build", False: "a release build"}
MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True)
class Figure:
    """A stylized probe.

    Attributes:
        series: runner and precision.
        quality: PSNR to the float network and what it was measured on, formatted.
        source: data URL; None where the report holds neither PNG nor JPEG.
    """

    series: str
    quality: str
    source: str | None


def pictures(panels: Sequence[Panel]) -> tuple[tuple[str, tuple[Figure, ...]], ...]:
    """Return title and pictures of each panel that has some, all of its largest size."""
    cards: list[tuple[str, tuple[Figure, ...]]] = []
    for panel in panels:
        entries = [entry for entry in panel.entries if entry.cell.picture]
        if entries:
            size = max((entry.size for entry in entries), key=by_area)
            figures = tuple(_figure(entry) for entry in entries if entry.size == size)
            cards.append((f"{panel.full_title} at {size}", figures))
    return tuple(cards)


def parity_cards(panels: Sequence[Panel]) -> tuple[Card, ...]:
    """Return a card of each runner's PSNR on the artifact's probes for each panel."""
    return tuple(
        Card(panel.full_title, _parity_table(panel), row=panel.row)
        for panel in panels
        if any(entry.cell.parity for entry in panel.entries)
    )


def unmeasured(panels: Sequence[Panel]) -> Table:
    """Return the cells without latency, with the reason."""
    rows = tuple(
        (
            panel.machine,
            panel.title,
            str(entry.size),
            entry.series,
            TableCell(entry.cell.status, emphasis="bad"),
            entry.cell.message or "no reason was given",
        )
        for panel in panels
        for entry in panel.entries
        if entry.summary is None
    )
    return Table(("machine", "network", "size", "runner", "status", "why"), rows, is_prose=True)


def figure_cards(machines: Sequence[Machine]) -> tuple[Card, ...]:
    """Return a card of every statistic of every cell for each machine."""
    return tuple(
        Card(
            f"{machine.name}: {len(machine.entries)} cells",
            Table(HEADER, tuple(table_row(entry) for entry in machine.entries)),
        )
        for machine in machines
    )


def environments(machines: Sequence[Machine]) -> tuple[tuple[str, dict[str, str]], ...]:
    """Return title and facts (name → value, "" where unknown) of each report's environment."""
    return tuple(
        (
            f"{machine.name}, {report.created[:16].replace('T', ' ')} UTC",
            _environment(report),
        )
        for machine in machines
        for report in machine.reports
    )


def _parity_table(panel: Panel) -> Table:
    checked = [entry for entry in panel.entries if entry.cell.parity]
    sizes = sorted({entry.size for entry in checked}, key=by_area)
    rows: list[tuple[str | TableCell, ...]] = []
    for series in dict.fromkeys(entry.series for entry in checked):
        by_size = {entry.size: entry for entry in checked if entry.series == series}
        cells = (_parity_cell(by_size[size]) if size in by_size else "-" for size in sizes)
        rows.append((series, *cells))
    return Table(("dB", *map(str, sizes)), tuple(rows))


def _parity_cell(entry: Entry) -> TableCell:
    fact = entry.cell.parity
    assert fact is not None
    note = f"at least {fact.allowed_db:g}"
    if fact.passed:
        return TableCell(f"{fact.measured_db:.1f}", note)
    return TableCell(f"{fact.measured_db:.1f} FAIL", note, "bad")


def _figure(entry: Entry) -> Figure:
    psnr = number_format.decibels(entry.psnr_db)
    quality = f"{psnr} on the {entry.psnr_source}" if entry.psnr_db is not None else psnr
    return Figure(entry.series, quality, _data_url(entry.cell.picture or ""))


def _data_url(picture: str) -> str | None:
    """Return a Base64 picture as a data URL; None where it is neither PNG nor JPEG."""
    try:
        raw = base64.b64decode(picture, validate=True)
    except binascii.Error:
        return None
    for magic, media_type in MEDIA_TYPES.items():
        if raw.startswith(magic):
            return f"data:{media_type};base64,{base64.b64encode(raw).decode()}"
    return None


def _environment(report: LatencyReport) -> dict[str, str]:
    machine, protocol, harness = report.machine, report.protocol, report.harness
    build = "" if harness.debuggable is None else f", {BUILDS[harness.debuggable]}"
    return {
        "processor": f"{machine.processor}, {machine.cores} logical cores",
        "memory": number_format.megabytes(machine.memory_bytes),
        "system": machine.os,
        "accelerators": ", ".join(machine.accelerators),
        "features": ", ".join(machine.features),
        "best": _peak(report),
        "rounds": f"{protocol.rounds} of at least {protocol.seconds:g} s and "
        f"{protocol.min_samples} samples a cell, "
        + ("interleaved" if protocol.interleaved else "one cell after the other")
        + (", a process for each cell" if protocol.own_process else ""),
        "warm-up": protocol.warm_up,
        "clock": f"{protocol.clock}, {protocol.clock_resolution_ns:g} ns",
        "doubts": "; ".join(f"{n}: {why}" for n, why in doubts_of_report(report).items()),
        "before": _state(report.before),
        "after": _state(report.after),
        "harness": f"{harness.name} {harness.version}{build}"
        + (f", commit {harness.commit}" if harness.commit else ""),
        "command": report.command,
        "versions": ", ".join(f"{name} {v}" for name, v in sorted(machine.versions.items())),
    }


def _peak(report: LatencyReport) -> str:
    peak = report.peak
    if peak is None:
        return ""
    fp32, int8 = number_format.gmacs(peak.fp32_gmacs), number_format.gmacs(peak.int8_gmacs)
    return f"fp32 {fp32} GMAC/s, int8 {int8} GMAC/s with {peak.threads} threads ({peak.method})"


def _state(state: StateFact) -> str:
    hottest = max(state.temperatures_celsius.values(), default=None)
    thermal, charging = state.thermal, state.charging
    parts = (
        state.load_average is not None and f"load {state.load_average:.2f}",
        thermal is not None and f"thermal state {thermal.value:g} ({thermal.scale})",
        hottest is not None and f"hottest sensor {hottest:.0f} °C",
        state.frequency_mhz is not None and f"{state.frequency_mhz:.0f} MHz",
        state.governor is not None and f"governor {state.governor}",
        state.battery_percent is not None and f"battery {state.battery_percent:.0f} %",
        charging is not None and ("charging" if charging else "on battery"),
        state.low_power is True and "low power mode",
        state.free_memory_bytes is not None
        and f"{number_format.megabytes(state.free_memory_bytes)} of memory free",
    )
    return ", ".join(part for part in parts if part)
