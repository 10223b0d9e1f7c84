"""What to measure, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.contract.remote import DeviceOptions
from styleexport.runtime_bench.runners._choice import RunnerChoice


class WarmUp(msgspec.Struct, frozen=True, kw_only=True):
    """When a file counts as warm: two windows of runs, one after the other, take the same time.

    Attributes:
        window: runs in each window; their medians are compared.
        tolerance: by which the medians may differ, of the first.
        least_seconds: that warming up takes at least.
        limit_seconds: after which it ends, stable or not; two runs are made in any case.
    """

    window: int = 5
    tolerance: float = 0.03
    least_seconds: float = 0.3
    limit_seconds: float = 10.0

    def __str__(self) -> str:
        return (
            f"until the median of {self.window} runs is within {self.tolerance:.0%} of that of "
            f"the {self.window} before, at least {self.least_seconds:g} s, at most "
            f"{self.limit_seconds:g} s"
        )


@dataclass(frozen=True)
class BenchRequest:
    """What to measure, and how.

    Attributes:
        artifacts: folders.
        runners: with their settings; () is every one that can run here.
        sizes: of the pictures; () is every one that the artifacts hold.
        roles: () is every one.
        precisions: () is every one.
        batches: pictures at once.
        threads: of the runtimes; None is one a processor that may be used.
        affinity: processors that the workers are bound to; () binds them to none.
        rounds: turns of each cell.
        seconds: that a turn lasts at least.
        min_samples: that a turn takes at least.
        warm_up: before the first turn.
        peak: whether the machine's own peak is measured too.
        profile: whether each cell is profiled by operation, after its last turn.
        together: cells that are loaded at once, at most.
        deadline_seconds: for one answer of a worker, over the time that it was told to measure.
        seed: of the order in each round.
        command: that was typed.
        device: for runners that are elsewhere.
    """

    artifacts: tuple[Path, ...]
    runners: tuple[RunnerChoice, ...] = ()
    sizes: tuple[Size, ...] = ()
    roles: tuple[Role, ...] = ()
    precisions: tuple[Precision, ...] = ()
    batches: tuple[int, ...] = (1,)
    threads: int | None = None
    affinity: tuple[int, ...] = ()
    rounds: int = 7
    seconds: float = 0.5
    min_samples: int = 5
    warm_up: WarmUp = field(default_factory=WarmUp)
    peak: bool = True
    profile: bool = False
    together: int = 12
    deadline_seconds: float = 600.0
    seed: int = 0
    command: str = ""
    device: DeviceOptions = field(default_factory=DeviceOptions)

    def __post_init__(self) -> None:
        counts = {
            "--batch": min(self.batches, default=0),
            "--rounds": self.rounds,
            "--threads": 1 if self.threads is None else self.threads,
            "--min-samples": self.min_samples,
            "artifacts": len(self.artifacts),
            "together": self.together,
        }
        for name, count in counts.items():
            if count < 1:
                raise UsageError(f"{name} is {count}: it must be 1 or more; type {name} 1")
        if self.seconds < 0 or self.warm_up.limit_seconds < 0:
            raise UsageError("seconds must be 0 or more; type --seconds 0.5 --warm-up 10")
        missing = set(self.affinity) - set(processors())
        if missing:
            raise UsageError(
                f"processor {min(missing)} is not there or may not be used: expected some of "
                f"{', '.join(map(str, processors()))}; type --affinity {processors()[0]}"
            )

    @property
    def used_threads(self) -> int:
        """The threads of each runtime."""
        return self.threads or len(self.affinity) or len(processors())


def processors() -> tuple[int, ...]:
    """Return the logical processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))
