"""LiteRT on the CPU as apps run it by default: XNNPACK where it can."""

from __future__ import annotations

from styleexport.runtime_bench.runners._litert import LitertRunner

RUNNER = LitertRunner("litert", delegate=True)
