"""Latency reports as one self-contained HTML file without scripts or requests."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.report import (
    cost_section,
    facts_section,
    latency_section,
    pipeline_section,
)
from styleexport.runtime_bench.report.groups import Machine, Panel
from styleexport.runtime_bench.report.number_format import short
from styleexport.runtime_bench.report.series_style import SeriesStyles
from styleexport.runtime_bench.report.summary import summary_table
from styleexport.runtime_bench.report.templates import render_template

# A sweep holds one report per cell; further environments are folded.
MAX_ENVIRONMENTS = 6


def page(machines: Sequence[Machine], base: str | None = None) -> str:
    """Return the page.

    Args:
        machines: one machine or more.
        base: runner whose fp32 file speed-ups are relative to; None takes each runner's own.
    """
    panels = _side_by_side(machines)
    styles = SeriesStyles.of(machines)
    return render_template(
        __package__ or "",
        "page.html.j2",
        title=_title(panels),
        subtitle=_subtitle(machines),
        summary=summary_table(machines),
        base=base,
        latency=latency_section.latency_cards(panels, styles),
        pipeline=pipeline_section.pipeline_cards(panels, styles),
        speedup=latency_section.speedup_cards(panels, styles, base),
        quality=latency_section.quality_cards(panels, styles),
        max_db=f"{latency_section.MAX_DB:g}",
        pictures=facts_section.pictures(panels),
        memory=cost_section.memory_cards(panels, styles),
        rates=cost_section.rate_cards(panels, styles),
        operations=cost_section.operation_cards(panels, styles),
        rounds=cost_section.round_cards(panels, styles),
        parity=facts_section.parity_cards(panels),
        unmeasured=facts_section.unmeasured(panels),
        figures=facts_section.figure_cards(machines),
        environments=facts_section.environments(machines),
        max_environments=MAX_ENVIRONMENTS,
    )


def _side_by_side(machines: Sequence[Machine]) -> list[Panel]:
    """Return all panels; those of one network and role on several machines are neighbours."""
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
    period = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    cells = sum(len(machine.entries) for machine in machines)
    names = (f"{m.name} ({short(m.reports[0].machine.processor)})" for m in machines)
    return f"{', '.join(names)}; {cells} cells, {period}"
