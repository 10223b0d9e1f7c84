"""LiteRT on the CPU with its own kernels alone: what runs where XNNPACK is left out."""

from __future__ import annotations

from styleexport.runtime_bench.runners._litert import LitertRunner

RUNNER = LitertRunner("litert-builtin", delegate=False)
