"""A latency report with one cell: the least there is."""

from __future__ import annotations

import pytest

from styleexport.runtime_bench.contract.latency import LatencyReport
from tests.runtime_bench import cells


@pytest.fixture
def small_report() -> LatencyReport:
    return cells.small_report()
