"""Latency reports as one HTML file that needs nothing else: no script, no request."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.report import (
    cost_section,
    facts_section,
    latency_section,
    pipeline_section,
)
from styleexport.runtime_bench.report.groups import Machine, Panel
from styleexport.runtime_bench.report.headline import headline
from styleexport.runtime_bench.report.markup import html, joined, tag
from styleexport.runtime_bench.report.number_format import short
from styleexport.runtime_bench.report.series_style import Look
from styleexport.runtime_bench.report.style import STYLE

# Whatever a report holds, the page runs no script and asks for nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(machines: Sequence[Machine], base: str | None = None) -> str:
    """Return the page.

    Args:
        machines: at least one.
        base: runner whose fp32 file speed-ups are relative to; None takes each runner's own.
    """
    panels = _beside_each_other(machines)
    look = Look.of(machines)
    title = html(_title(panels))
    parts = (
        tag("h1", title),
        tag("p", _subtitle(machines), kind="faint"),
        tag("ul", *(tag("li", line) for line in headline(machines)), kind="headline"),
        latency_section.latency(panels, look),
        pipeline_section.pipeline(panels, look),
        latency_section.speedup(panels, look, base),
        latency_section.quality(panels, look),
        facts_section.pictures(panels),
        cost_section.memory(panels, look),
        cost_section.rates(panels, look),
        cost_section.operations(panels, look),
        cost_section.rounds(panels, look),
        facts_section.parity(panels),
        facts_section.unmeasured(panels),
        facts_section.figures(machines),
        facts_section.environment(machines),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n{joined(parts)}\n"
        "</body></html>\n"
    )


def _beside_each_other(machines: Sequence[Machine]) -> list[Panel]:
    """Return all panels, those of one network and role on several machines beside each other."""
    panels = [panel for machine in machines for panel in machine.panels]
    titles = list(dict.fromkeys(panel.title for panel in panels))
    return sorted(panels, key=lambda panel: titles.index(panel.title))


def _title(panels: Sequence[Panel]) -> str:
    networks = list(dict.fromkeys(panel.network for panel in panels))
    named = ", ".join(short(network, 40) for network in networks[:3])
    more = f" and {len(networks) - 3} more" if len(networks) > 3 else ""
    return f"Latency of {named}{more}"


def _subtitle(machines: Sequence[Machine]) -> str:
    reports = [report for machine in machines for report in machine.reports]
    dates = sorted({report.created[:10] for report in reports})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    cells = sum(len(machine.entries) for machine in machines)
    names = (f"{m.name} ({short(m.reports[0].machine.processor)})" for m in machines)
    return f"{', '.join(names)}; {cells} cells, {when}; 95 % intervals in brackets"
