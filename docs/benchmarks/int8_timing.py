"""Times of sessions taken in turns in this process, and the conditions that they hold under."""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import math
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from int8_environments import NAMES, version
from int8_sessions import OPTIONS

from styleexport.core import environments
from styleexport.core.arrays import Arrays, Run

# A sample lasts at least so long; before it, the threads of the last candidate come to rest.
SAMPLE_SECONDS = 0.05
REST_SECONDS = 0.01
VERSIONS = ("torch", "onnxruntime", "ai-edge-litert", "ai-edge-quantizer", "openvino")
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


def timed(sessions: Mapping[int, Run], inputs: Arrays, rounds: int) -> dict[int, list[int]]:
    """Return ns of one run of each session, a sample a round, each round in another order.

    An interrupt ends it with the rounds that are whole, if there are two.
    """
    samples: dict[int, list[int]] = {key: [] for key in sessions}
    repeats = {
        key: math.ceil(SAMPLE_SECONDS * 1e9 / _sample_ns(session, inputs, 1))
        for key, session in sessions.items()
    }
    keys = list(sessions)
    gc.disable()
    try:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            first = number * len(keys) // rounds
            taken = {
                key: _sample_ns(sessions[key], inputs, repeats[key])
                for key in (*keys[first:], *keys[:first])
            }
            for key, sample in taken.items():
                samples[key].append(sample)
    except KeyboardInterrupt:
        whole = max(map(len, samples.values()), default=0)
        if whole < 2:
            raise
        print(f"interrupted: {whole} rounds", file=sys.stderr)
    finally:
        gc.enable()
    return samples


def _sample_ns(session: Run, inputs: Arrays, repeats: int) -> int:
    """Return ns of one run, the mean of some that follow one that is not counted."""
    time.sleep(REST_SECONDS)
    session(inputs)
    started = time.perf_counter_ns()
    for _ in range(repeats):
        session(inputs)
    return (time.perf_counter_ns() - started) // repeats


def versions(tools: Path | None = None) -> dict[str, str]:
    """Return the versions of the libraries that take part.

    Args:
        tools: folder of environments of the int8 benchmark's tools, where they take part too.
    """
    found = {name: tool.version for name, tool in environments.TOOLS.items()}
    if tools is not None:
        installed = {name: version(name, tools) for name in NAMES}
        found |= {name: number for name, number in installed.items() if number is not None}
    for name in VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def conditions(load_before: float) -> dict[str, Any]:
    """Return when and on what times were taken, as `compression_report.Conditions` takes it.

    Args:
        load_before: load average before the first sample.
    """
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": processor(),
        "threads": OPTIONS.threads or 0,
        "load": (load_before, os.getloadavg()[0]),
        "versions": versions(),
    }


def processor() -> str:
    """Return the processor's name, and its instructions for integer products."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    flags = fields.get("flags", fields.get("Features", "")).split()
    known = " ".join(name for name in INSTRUCTIONS if name in flags)
    return f"{fields.get('model name', 'unknown processor')}, {os.cpu_count()} cores, {known}"
