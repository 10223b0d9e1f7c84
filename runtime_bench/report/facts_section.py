"""What stands behind the figures: pictures, parity, what was not measured, the machines."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from styleexport.runtime_bench.contract.latency import LatencyReport, StateFact
from styleexport.runtime_bench.report import number_format as words
from styleexport.runtime_bench.report.groups import Entry, Machine, Panel
from styleexport.runtime_bench.report.markup import (
    Html,
    card,
    cards,
    facts,
    folded,
    html,
    section,
    table,
    tag,
)
from styleexport.runtime_bench.report.rows import HEADER, row

# A sweep has a report a cell.
MOST_ENVIRONMENTS = 6
KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def pictures(panels: Sequence[Panel]) -> Html:
    """Return what each runner painted of the probe, side by side, at one size of each panel."""
    boxes: list[Html] = []
    for panel in panels:
        painted = [entry for entry in panel.entries if entry.cell.picture]
        if painted:
            size = max((entry.size for entry in painted), key=lambda s: (s.height * s.width, s))
            shown = [_picture(entry) for entry in painted if entry.size == size]
            boxes.append(card(f"{panel.full_title} at {size}", tag("div", *shown, kind="pictures")))
    return section("Pictures", "The artifact's probe, as each runner painted it.", *boxes)


def parity(panels: Sequence[Panel]) -> Html:
    """Return how near to the float network every runner came on the artifact's probes."""
    boxes = [
        card(panel.full_title, _parity(panel))
        for panel in panels
        if any(entry.cell.parity for entry in panel.entries)
    ]
    return section(
        "Parity",
        "PSNR on the golden probes of the artifact, in dB, and what is allowed at least; measured "
        "before a cell is timed. A runner that fails gets no latency.",
        cards(boxes),
    )


def unmeasured(panels: Sequence[Panel]) -> Html:
    """Return the cells without latency, each with its reason."""
    found = [
        [
            panel.machine,
            panel.title,
            str(entry.size),
            entry.series,
            tag("span", entry.cell.status, kind="bad"),
            entry.cell.message or "no reason was given",
        ]
        for panel in panels
        for entry in panel.entries
        if entry.summary is None
    ]
    header = ("machine", "network", "size", "runner", "status", "why")
    return section("Not measured", "", table(header, found, words=range(6)) if found else "")


def figures(machines: Sequence[Machine]) -> Html:
    """Return every statistic of every cell, folded, a table for each machine."""
    boxes = [
        folded(
            f"{machine.name}: {len(machine.entries)} cells",
            table(HEADER, [row(entry) for entry in machine.entries]),
        )
        for machine in machines
    ]
    return section("All figures", "Times are in ms, sizes in MB.", *boxes)


def environment(machines: Sequence[Machine]) -> Html:
    """Return what was measured on, how, and what may have disturbed it."""
    boxes = [
        card(f"{machine.name}, {report.created[:16].replace('T', ' ')} UTC", _environment(report))
        for machine in machines
        for report in machine.reports
    ]
    rest = boxes[MOST_ENVIRONMENTS:]
    more = folded(f"{len(rest)} more", cards(rest)) if rest else ""
    return section("Environment", "", cards(boxes[:MOST_ENVIRONMENTS]), more)


def _parity(panel: Panel) -> Html:
    checked = [entry for entry in panel.entries if entry.cell.parity]
    sizes = sorted({entry.size for entry in checked}, key=lambda s: (s.height * s.width, s))
    rows: list[list[str]] = []
    for series in dict.fromkeys(entry.series for entry in checked):
        at = {entry.size: entry for entry in checked if entry.series == series}
        rows.append([series, *(_verdict(at[size]) if size in at else "-" for size in sizes)])
    return table(("dB", *map(str, sizes)), rows)


def _verdict(entry: Entry) -> Html:
    fact = entry.cell.parity
    assert fact is not None
    measured = f"{fact.measured_db:.1f}"
    told = measured if fact.passed else tag("span", f"{measured} FAIL", kind="bad")
    return tag("div", told, tag("small", f"at least {fact.allowed_db:g}"))


def _picture(entry: Entry) -> Html:
    source = _source(entry.cell.picture or "")
    caption = tag("figcaption", entry.series, f", {words.decibels(entry.quality_db)}")
    if source is None:
        return tag("figure", tag("p", "no PNG or JPEG", kind="bad"), caption)
    alt = html(f"painted by {entry.series}")
    return tag("figure", Html(f'<img loading="lazy" alt="{alt}" src="{source}">'), caption)


def _source(picture: str) -> str | None:
    """Return a picture as the address that holds it; None where it is no PNG or JPEG."""
    try:
        raw = base64.b64decode(picture, validate=True)
    except binascii.Error:
        return None
    for head, kind in KINDS.items():
        if raw.startswith(head):
            return f"data:{kind};base64,{base64.b64encode(raw).decode()}"
    return None


def _environment(report: LatencyReport) -> Html:
    machine, protocol, peak = report.machine, report.protocol, report.peak
    return facts(
        {
            "processor": f"{machine.processor}, {machine.cores} logical cores",
            "memory": words.megabytes(machine.memory_bytes),
            "system": machine.os,
            "accelerators": ", ".join(machine.accelerators),
            "features": ", ".join(machine.features),
            "best": ""
            if peak is None
            else f"fp32 {words.gmacs(peak.fp32_gmacs)} GMAC/s, int8 {words.gmacs(peak.int8_gmacs)} "
            f"GMAC/s with {peak.threads} threads ({peak.method})",
            "rounds": f"{protocol.rounds} of at least {protocol.seconds:g} s and "
            f"{protocol.min_samples} samples a cell, "
            + ("interleaved" if protocol.interleaved else "one cell after the other")
            + (", a process for each cell" if protocol.own_process else ""),
            "warm-up": protocol.warm_up,
            "clock": f"{protocol.clock}, {protocol.clock_resolution_ns:g} ns",
            "before": _state(report.before),
            "after": _state(report.after),
            "harness": f"{report.harness.name} {report.harness.version}"
            + (f", commit {report.harness.commit}" if report.harness.commit else ""),
            "command": report.command,
            "versions": ", ".join(f"{name} {v}" for name, v in sorted(machine.versions.items())),
        }
    )


def _state(state: StateFact) -> str:
    heat = max(state.temperatures_celsius.values(), default=None)
    thermal, charging = state.thermal, state.charging
    told = (
        state.load_average is not None and f"load {state.load_average:.2f}",
        thermal is not None and f"thermal state {thermal.value:g} ({thermal.scale})",
        heat is not None and f"hottest sensor {heat:.0f} °C",
        state.frequency_mhz is not None and f"{state.frequency_mhz:.0f} MHz",
        state.governor is not None and f"governor {state.governor}",
        state.battery_percent is not None and f"battery {state.battery_percent:.0f} %",
        charging is not None and ("charging" if charging else "on battery"),
        state.low_power is True and "low power mode",
        state.free_memory_bytes is not None
        and f"{words.megabytes(state.free_memory_bytes)} of memory free",
    )
    return ", ".join(part for part in told if part)
