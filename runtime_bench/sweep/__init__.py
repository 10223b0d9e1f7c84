"""Networks × recipes × sizes × runners, exported and measured as one table that can be resumed."""

from __future__ import annotations

from styleexport.runtime_bench.sweep.plan import Export as Export
from styleexport.runtime_bench.sweep.plan import Plan as Plan
from styleexport.runtime_bench.sweep.plan import read_plan as read_plan
from styleexport.runtime_bench.sweep.run import SweepRequest as SweepRequest
from styleexport.runtime_bench.sweep.run import cells_of as cells_of
from styleexport.runtime_bench.sweep.run import planned as planned
from styleexport.runtime_bench.sweep.run import sweep as sweep
from styleexport.runtime_bench.sweep.table import Row as Row
from styleexport.runtime_bench.sweep.table import reports as reports

__all__ = [
    "Export",
    "Plan",
    "Row",
    "SweepRequest",
    "cells_of",
    "planned",
    "read_plan",
    "reports",
    "sweep",
]
