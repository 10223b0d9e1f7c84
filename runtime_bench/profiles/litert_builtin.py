"""Profiler of the runner `litert-builtin`."""

from __future__ import annotations

from functools import partial

from styleexport.runtime_bench.profiles._litert import BUILTIN, profiled

PROFILER = partial(profiled, kernels=BUILTIN)
