"""What a profiler is: it runs a file several times and says how long each operation took."""

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
class Timed:
    """One operation as the runtime executed it.

    Attributes:
        layer: of the captured network, or the runtime's own name.
        op: as the runtime names the kernel.
        samples_ns: one a run.
        macs: multiply-accumulates.
        delegate: which part of the runtime ran it.
    """

    layer: str
    op: str
    samples_ns: tuple[int, ...]
    macs: int = 0
    delegate: str = ""


@dataclass(frozen=True)
class Profiled:
    """What a profiler found.

    Attributes:
        operations: in the order they ran.
        runs_ns: whole runs, with what lies between operations.
    """

    operations: tuple[Timed, ...]
    runs_ns: tuple[int, ...]


# Layers are as in `FileFact.layers`: layer of the captured network → tensor of the file. None where
# the runtime tells no times with these settings.
Profiler = Callable[[Path, RunOptions, Arrays, Mapping[str, str]], Profiled | None]


def repeated(
    run: Callable[[], object], after: Callable[[], object] | None = None
) -> tuple[int, ...]:
    """Run something for about a second, but 5 to 50 times; return each run's nanoseconds.

    Args:
        run: what is timed.
        after: what follows each run and is not.
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
    """Return tensor → the first layer whose output it holds: a pass may have merged several."""
    found: dict[str, str] = {}
    for layer, tensor in layers.items():
        found.setdefault(tensor, layer)
    return found
