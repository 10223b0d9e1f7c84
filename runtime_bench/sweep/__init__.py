"""Sweeps: networks × recipes × sizes × runners, exported and measured into one resumable table."""

from __future__ import annotations

from styleexport.runtime_bench.sweep.plan import PlannedArtifact as PlannedArtifact
from styleexport.runtime_bench.sweep.plan import SweepPlan as SweepPlan
from styleexport.runtime_bench.sweep.plan import read_plan as read_plan
from styleexport.runtime_bench.sweep.run import SweepRequest as SweepRequest
from styleexport.runtime_bench.sweep.run import cells_of as cells_of
from styleexport.runtime_bench.sweep.run import current_rows as current_rows
from styleexport.runtime_bench.sweep.run import sweep as sweep
from styleexport.runtime_bench.sweep.table import SweepRow as SweepRow
from styleexport.runtime_bench.sweep.table import reports as reports

__all__ = [
    "PlannedArtifact",
    "SweepPlan",
    "SweepRequest",
    "SweepRow",
    "cells_of",
    "current_rows",
    "read_plan",
    "reports",
    "sweep",
]
