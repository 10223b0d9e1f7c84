"""Profiler protocol: runs a file several times and times each operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.runners._runner import RunOptions

PACKAGE = "styleexport.runtime_bench.profiles"
SECONDS = 1.0
LEAST, MOST = 5, 50


@dataclass(frozen=True)
class TimedOperation:
    """One executed operation.

    Attributes:
        layer: layer of the captured network, or the runtime's own name.
        op: name of the kernel in the runtime.
        samples_ns: time in each run.
        macs: multiply-accumulates.
        delegate: part of the runtime that ran it.
    """

    layer: str
    op: str
    samples_ns: tuple[int, ...]
    macs: int = 0
    delegate: str = ""


@dataclass(frozen=True)
class Profile:
    """Profile of a file.

    Attributes:
        operations: operations, in execution order.
        runs_ns: time of each whole run, including the time between operations.
    """

    operations: tuple[TimedOperation, ...]
    runs_ns: tuple[int, ...]


# The last argument is as `FileFact.layers`: layer of the captured network → tensor of the file. It
# returns None where the runtime reports no times with these settings.
Profiler = Callable[[Path, RunOptions, Arrays, Mapping[str, str]], Profile | None]


def repeated(
    run: Callable[[], object], after: Callable[[], object] | None = None
) -> tuple[int, ...]:
    """Run a function for about a second, 5 to 50 times; return the nanoseconds of each run.

    Args:
        run: function to time.
        after: function to call after each run, untimed.
    """
    samples: list[int] = []
    while len(samples) < LEAST or (sum(samples) < SECONDS * 1e9 and len(samples) < MOST):
        before = time.perf_counter_ns()
        run()
        samples.append(time.perf_counter_ns() - before)
        if after is not None:
            after()
    return tuple(samples)


def by_tensor(layers: Mapping[str, str]) -> dict[str, str]:
    """Return tensor → first layer whose output it holds; passes may have merged several."""
    first: dict[str, str] = {}
    for layer, tensor in layers.items():
        first.setdefault(tensor, layer)
    return first
