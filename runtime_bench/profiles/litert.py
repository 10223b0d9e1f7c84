"""Profiler of the runner `litert`."""

from __future__ import annotations

from functools import partial

from styleexport.runtime_bench.profiles._litert import XNNPACK, profiled

PROFILER = partial(profiled, kernels=XNNPACK)
