"""Latency benchmark: one process per file, measured in rounds; `bench` is the call."""

from __future__ import annotations

from styleexport.runtime_bench.bench.request import BenchRequest as BenchRequest
from styleexport.runtime_bench.bench.run import bench as bench
from styleexport.runtime_bench.bench.run import bench_everywhere as bench_everywhere

__all__ = ["BenchRequest", "bench", "bench_everywhere"]
