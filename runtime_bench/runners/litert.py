"""LiteRT on the CPU with XNNPACK, the default in apps."""

from __future__ import annotations

from styleexport.runtime_bench.runners._litert import LitertRunner

RUNNER = LitertRunner("litert", delegate=True)
