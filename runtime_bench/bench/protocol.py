"""Measuring protocol: cells of one size and role are loaded together and take turns in rounds.

Each round has an order of its own, so that a slowdown of the machine affects all cells alike.
Workers that might not fit into memory together are measured in smaller groups. A worker that is
killed or runs out of memory is tried once more, alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from styleexport.core.manifest import ParityFact, SizeFact
from styleexport.core.types import Progress
from styleexport.runtime_bench.bench import messages
from styleexport.runtime_bench.bench.memory_groups import memory_groups
from styleexport.runtime_bench.bench.process import Worker
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import CellFact, Status

A = TypeVar("A")
Spawn = Callable[[Cell], Worker]
Joules = Callable[[], float | None]
MESSAGE_LENGTH = 400


class CellFailed(Exception):
    """A cell cannot be measured further; its run holds the reason."""


@dataclass
class CellRun:
    """A cell being measured, with the answers of its worker.

    Attributes:
        cell: cell to measure.
        worker: worker of the cell.
        request: how to measure.
        status: status for the report.
        message: reason of a status other than ``measured``.
        killed: whether the worker died.
        alone: whether it was measured apart from the others, after its first worker was lost.
    """

    cell: Cell
    worker: Worker
    request: BenchRequest
    status: Status = "measured"
    message: str = ""
    killed: bool = False
    alone: bool = False
    loaded: messages.Loaded | None = None
    checked: messages.Checked | None = None
    warmed: messages.Warmed | None = None
    turns: list[messages.Turned] = field(default_factory=list[messages.Turned])
    joules: list[float | None] = field(default_factory=list[float | None])
    profiled: messages.Profiled | None = None
    peak_rss_bytes: int | None = None

    @property
    def lost(self) -> bool:
        """Whether the worker was lost in a way that may not recur when it runs alone."""
        return self.killed or self.status == "out-of-memory"

    def attempt(self, step: Callable[[CellRun], None]) -> None:
        """Take a step; where it fails, end the worker, so that others have its memory."""
        if self.status == "measured":
            try:
                step(self)
            except CellFailed:
                self.worker.end()

    def prepare(self) -> None:
        """Load the file, check it on the probes, and warm it up.

        Raises:
            CellFailed: one of these failed.
        """
        plan = self.request.plan
        self.loaded = self._ask(messages.Load(cell=self.cell, plan=plan), messages.Loaded)
        self.checked = self._ask(messages.CheckProbes(), messages.Checked)
        parity = self.checked.parity
        if not parity.passed:
            raise self._failed("wrong", _wrong(parity))
        self.warmed = self._ask(messages.Warm(), messages.Warmed, plan.warm_up_seconds)

    def turn(self, joules: Joules) -> None:
        """Take a turn.

        Args:
            joules: reads the energy used so far.

        Raises:
            CellFailed: the worker failed.
        """
        before = joules()
        self.turns.append(self._ask(messages.Turn(), messages.Turned, self.request.plan.seconds))
        after = joules()
        self.joules.append(None if before is None or after is None else after - before)

    def finish(self) -> None:
        """Read the peak memory and, on request, profile the cell.

        Raises:
            CellFailed: the worker failed before it was profiled.
        """
        self.peak_rss_bytes = self._ask(messages.Peak(), messages.Peaked).peak_rss_bytes
        if self.request.profile:
            answer = self.worker.ask(messages.Profile(), self.request.deadline_seconds)
            if isinstance(answer, messages.Profiled):
                self.profiled = answer
            elif isinstance(answer, messages.Refused):
                # The samples are valid all the same.
                self.message = f"not profiled: {answer.message}"

    def _ask(self, command: messages.Command, kind: type[A], seconds: float = 0.0) -> A:
        answer = self.worker.ask(command, self.request.deadline_seconds + seconds)
        if isinstance(answer, kind):
            return answer
        if isinstance(answer, messages.Refused):
            self.killed = answer.killed
            raise self._failed(answer.status, answer.message)
        raise self._failed("failed", f"the worker answered {type(answer).__name__}")

    def _failed(self, status: Status, message: str) -> CellFailed:
        self.status, self.message = status, message
        return CellFailed(message)

    def fact(self) -> CellFact:
        """Return the cell of the report."""
        cell, measured = self.cell, self.status == "measured"
        checked = self.checked
        turns = self.turns if measured else []
        joules = [value for value in self.joules if value is not None]
        has_energy = measured and joules and len(joules) == len(turns)
        return CellFact(
            subject=cell.subject,
            runner=cell.choice.name,
            requested=dict(cell.choice.settings),
            effective=_effective(self),
            size=SizeFact.of(cell.size),
            batch=cell.batch,
            status=self.status,
            message=one_line(self.message),
            parity=checked.parity if checked else None,
            loads_ns=self.loaded.loads_ns if self.loaded and measured else (),
            first_ns=checked.first_ns if checked and measured else None,
            warm_up_ns=self.warmed.warm_up_ns if self.warmed and measured else (),
            rounds_ns=tuple(turn.samples_ns for turn in turns),
            pre_ns=tuple(value for turn in turns for value in turn.pre_ns),
            post_ns=tuple(value for turn in turns for value in turn.post_ns),
            peak_rss_bytes=self.peak_rss_bytes if measured else None,
            idle_rss_bytes=self.loaded.idle_rss_bytes if self.loaded and measured else None,
            energy_joules=sum(joules) if has_energy else None,
            operations=self.profiled.operations if self.profiled else (),
            picture=checked.picture if checked else None,
        )


def one_line(message: str) -> str:
    """Return a message as the report takes it: one line of limited length."""
    return " ".join(message.split())[:MESSAGE_LENGTH]


def _wrong(parity: ParityFact) -> str:
    return (
        f"differs from its network: psnr {parity.measured_db} dB measured, at least "
        f"{parity.allowed_db:g} allowed"
    )


def _effective(run: CellRun) -> dict[str, str]:
    settings = dict(run.loaded.effective) if run.loaded else {}
    warmed = run.warmed
    if run.loaded and run.cell.affinity:
        settings["affinity"] = ",".join(map(str, run.cell.affinity))
    if run.alone:
        settings["turns"] = "alone: its first worker was lost"
    if warmed:
        settings["warm"] = f"after {len(warmed.warm_up_ns)} runs" if warmed.stable else "no"
    return settings


def measure(
    cells: Sequence[Cell],
    request: BenchRequest,
    spawn: Spawn,
    joules: Joules,
    free_bytes: int | None,
    progress: Progress,
) -> tuple[CellFact, ...]:
    """Return the measured cells, in their order.

    Args:
        cells: cells; those of one size and role are adjacent.
        request: how to measure.
        spawn: starts the worker of a cell.
        joules: reads the energy that the machine has used so far; None where it is not reported.
        free_bytes: free memory; None where it is unknown.
        progress: receives lines of progress.
    """
    rounds = Rounds(request, spawn, joules, progress, random.Random(request.plan.seed), len(cells))
    facts: list[CellFact] = []
    for group in memory_groups(cells, request.together, free_bytes):
        first = len(facts) + 1
        for number, run in enumerate(rounds.run(group, first), first):
            final = run
            if run.lost:
                progress(f"{number}/{len(cells)} once more, alone: {run.message}")
                (final,) = rounds.run([run.cell], number)
                final.alone = True
            facts.append(final.fact())
    return tuple(facts)


@dataclass(frozen=True)
class Rounds:
    """Measures groups of cells in rounds.

    Attributes:
        request: how to measure.
        spawn: starts the worker of a cell.
        joules: reads the energy that the machine has used so far.
        progress: receives lines of progress.
        order: source of the order of turns.
        total: number of cells of all groups.
    """

    request: BenchRequest
    spawn: Spawn
    joules: Joules
    progress: Progress
    order: random.Random
    total: int

    def run(self, cells: Sequence[Cell], first: int) -> list[CellRun]:
        """Return the runs of a group of cells; their workers are ended in any case.

        Args:
            cells: cells of one size and role.
            first: number of the first cell among all, for progress lines.
        """
        runs: list[CellRun] = []
        try:
            for number, cell in enumerate(cells, first):
                self.progress(f"{number}/{self.total} {cell.label}")
                runs.append(CellRun(cell, self.spawn(cell), self.request))
                runs[-1].attempt(CellRun.prepare)
            for number in range(1, self.request.plan.rounds + 1):
                self._round(number, [run for run in runs if run.status == "measured"])
            for run in runs:
                run.attempt(CellRun.finish)
        finally:
            for run in runs:
                run.worker.end()
        return runs

    def _round(self, number: int, runs: list[CellRun]) -> None:
        """Give each run a turn, in a new order."""
        if not runs:
            return
        size = runs[0].cell.size
        self.order.shuffle(runs)
        self.progress(f"{number}/{self.request.plan.rounds} rounds of {len(runs)} at {size}")
        for run in runs:
            run.attempt(lambda run: run.turn(self.joules))
