"""LiteRT on the CPU with its own kernels, without XNNPACK."""

from __future__ import annotations

from styleexport.runtime_bench.runners._litert import LitertRunner

RUNNER = LitertRunner("litert-builtin", delegate=False)
