"""Benchmark request: what to measure, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from styleexport.core.errors import UsageError
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.remote import DeviceOptions
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice

MAX_COUNT = 100_000
MAX_COUNTS = {"--threads": 1_024, "--batch": 4_096}
MAX_SECONDS = 86_400


@dataclass(frozen=True)
class BenchRequest:
    """Files to measure, the runners to measure them on, and the plan.

    Attributes:
        artifacts: folders of artifacts.
        runners: runners with their settings; () selects every one that can run here.
        sizes: picture sizes; () selects all sizes of the artifacts.
        roles: roles; () selects all.
        precisions: precisions; () selects all.
        batches: numbers of pictures per inference.
        plan: measuring plan; its ``threads`` of None is one per available processor.
        affinity: processors that the workers are bound to; () leaves them unbound.
        peak: whether the machine's peak throughput is measured too.
        profile: whether each cell is profiled by operation, after its last turn.
        together: maximum number of cells that are loaded at the same time.
        deadline_seconds: time limit for one answer of a worker, in addition to the time that the
            plan gives it.
        command: command line that was typed.
        device: device of runners on another machine.
    """

    artifacts: tuple[Path, ...]
    runners: tuple[RunnerChoice, ...] = ()
    sizes: tuple[Size, ...] = ()
    roles: tuple[Role, ...] = ()
    precisions: tuple[Precision, ...] = ()
    batches: tuple[int, ...] = (1,)
    plan: PlanFact = field(default_factory=PlanFact)
    affinity: tuple[int, ...] = ()
    peak: bool = True
    profile: bool = False
    together: int = 12
    deadline_seconds: float = 600.0
    command: str = ""
    device: DeviceOptions = field(default_factory=DeviceOptions)

    def __post_init__(self) -> None:
        plan = self.plan
        counts = {
            "--batch": min(self.batches, default=0),
            "--rounds": plan.rounds,
            "--threads": 1 if plan.threads is None else plan.threads,
            "--min-samples": plan.min_samples,
            "artifacts": len(self.artifacts),
            "together": self.together,
        }
        counts |= {"--batch": max(self.batches)} if counts["--batch"] >= 1 else {}
        for name, count in counts.items():
            if count < 1:
                raise UsageError(f"{name} is {count}: it must be 1 or more; type {name} 1")
            if count > MAX_COUNTS.get(name, MAX_COUNT):
                most = MAX_COUNTS.get(name, MAX_COUNT)
                raise UsageError(f"{name} is {count}: it must be at most {most}; type {name} 1")
        for name, seconds in (("--seconds", plan.seconds), ("--warm-up", plan.warm_up_seconds)):
            if not 0 <= seconds <= MAX_SECONDS:
                raise UsageError(
                    f"{name} is {seconds:g}: it must be 0 to {MAX_SECONDS} seconds, a day; type "
                    f"{name} 1"
                )
        missing = set(self.affinity) - set(processors())
        if missing:
            raise UsageError(
                f"processor {min(missing)} is not there or may not be used: expected some of "
                f"{', '.join(map(str, processors()))}; type --affinity {processors()[0]}"
            )

    @property
    def used_threads(self) -> int:
        """Number of threads of each runtime."""
        return self.plan.threads or len(self.affinity) or len(processors())


def processors() -> tuple[int, ...]:
    """Return the logical processors available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))
