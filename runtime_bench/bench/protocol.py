"""The protocol: cells of one size and role are loaded side by side and take turns in rounds.

Each round has an order of its own. Whatever slows the machine down for a while then slows all of
them alike. Workers that might not fit into memory together are measured in smaller groups. A worker
that is killed or runs out of memory is tried once more, alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from styleexport.core.manifest import ParityFact, SizeFact
from styleexport.core.types import Progress
from styleexport.runtime_bench.bench import messages
from styleexport.runtime_bench.bench.cells import Cell
from styleexport.runtime_bench.bench.process import Worker
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.contract.latency import CellFact, Status

A = TypeVar("A")
Spawn = Callable[[Cell], Worker]
Joules = Callable[[], float | None]
# Of the memory that is free, what the workers of a group may take together.
MEMORY_SHARE = 0.6
MESSAGE_LENGTH = 400


class Stopped(Exception):
    """A cell cannot be measured further; its candidate says why."""


@dataclass
class Candidate:
    """A cell while it is measured, with all that its worker has answered.

    Attributes:
        cell: what is measured.
        worker: that measures it.
        request: how.
        status: as the report will have it.
        message: why it is not ``measured``.
        killed: whether the worker died.
        alone: whether it took its turns apart from the others, since its first worker was lost.
    """

    cell: Cell
    worker: Worker
    request: BenchRequest
    status: Status = "measured"
    message: str = ""
    killed: bool = False
    alone: bool = False
    loaded: messages.Loaded | None = None
    probed: messages.Probed | None = None
    warmed: messages.Warmed | None = None
    turns: list[messages.Turned] = field(default_factory=list[messages.Turned])
    joules: list[float | None] = field(default_factory=list[float | None])
    profiled: messages.Profiled | None = None
    peak_rss_bytes: int | None = None

    def prepare(self) -> None:
        """Load the file, check it on the probes, and run it until it is warm.

        Raises:
            Stopped: it does not come so far.
        """
        self.loaded = self._ask(messages.Load(job=self.cell.job), messages.Loaded)
        self.probed = self._ask(messages.Probe(), messages.Probed)
        parity = self.probed.parity
        if not parity.passed:
            raise self._stopped("wrong", _wrong(parity))
        rule = self.request.warm_up
        self.warmed = self._ask(messages.Warm(rule=rule), messages.Warmed, rule.limit_seconds)

    def turn(self, joules: Joules) -> None:
        """Take a turn.

        Raises:
            Stopped: the worker did not come back from it.
        """
        before = joules()
        seconds = self.request.seconds
        command = messages.Turn(seconds=seconds, min_samples=self.request.min_samples)
        self.turns.append(self._ask(command, messages.Turned, seconds))
        after = joules()
        self.joules.append(None if before is None or after is None else after - before)

    def finish(self) -> None:
        """Profile the cell if that was asked for, and let the worker go.

        Raises:
            Stopped: the worker did not come so far.
        """
        self.peak_rss_bytes = self._ask(messages.Peak(), messages.Peaked).peak_rss_bytes
        if self.request.profile:
            command = messages.Profile(layers=dict(self.cell.layers))
            answer = self.worker.ask(command, self.request.deadline_seconds)
            if isinstance(answer, messages.Profiled):
                self.profiled = answer
            elif isinstance(answer, messages.Refused):
                self.message = (
                    f"not profiled: {answer.message}"  # its samples are good all the same
                )

    def _ask(self, command: messages.Command, kind: type[A], seconds: float = 0.0) -> A:
        answer = self.worker.ask(command, self.request.deadline_seconds + seconds)
        if isinstance(answer, kind):
            return answer
        if isinstance(answer, messages.Refused):
            self.killed = answer.killed
            raise self._stopped(answer.status, answer.message)
        raise self._stopped("failed", f"the worker answered {type(answer).__name__}")

    def _stopped(self, status: Status, message: str) -> Stopped:
        self.status, self.message = status, message
        return Stopped(message)

    def fact(self) -> CellFact:
        """Return what the report says of the cell."""
        cell, measured = self.cell, self.status == "measured"
        probed = self.probed
        turns = self.turns if measured else []
        joules = [value for value in self.joules if value is not None]
        return CellFact(
            subject=cell.subject,
            runner=cell.choice.name,
            requested=dict(cell.choice.settings),
            effective=_effective(self),
            size=SizeFact.of(cell.size),
            batch=cell.job.batch,
            status=self.status,
            message=one_line(self.message),
            parity=probed.parity if probed else None,
            loads_ns=self.loaded.loads_ns if self.loaded and measured else (),
            first_ns=probed.first_ns if probed and measured else None,
            warm_up_ns=self.warmed.warm_up_ns if self.warmed and measured else (),
            rounds_ns=tuple(turn.samples_ns for turn in turns),
            pre_ns=tuple(value for turn in turns for value in turn.pre_ns),
            post_ns=tuple(value for turn in turns for value in turn.post_ns),
            peak_rss_bytes=self.peak_rss_bytes if measured else None,
            idle_rss_bytes=self.loaded.idle_rss_bytes if self.loaded and measured else None,
            energy_joules=sum(joules)
            if measured and joules and len(joules) == len(turns)
            else None,
            operations=self.profiled.operations if self.profiled else (),
            picture=probed.picture if probed else None,
        )


def one_line(message: str) -> str:
    """Return a message as the report takes it."""
    return " ".join(message.split())[:MESSAGE_LENGTH]


def _wrong(parity: ParityFact) -> str:
    return (
        f"differs from its network: psnr {parity.measured_db} dB measured, at least "
        f"{parity.allowed_db:g} allowed"
    )


def _effective(candidate: Candidate) -> dict[str, str]:
    found = dict(candidate.loaded.effective) if candidate.loaded else {}
    job, warmed = candidate.cell.job, candidate.warmed
    if candidate.loaded and job.affinity:
        found["affinity"] = ",".join(map(str, job.affinity))
    if candidate.alone:
        found["turns"] = "alone: its first worker was lost"
    if warmed:
        found["warm"] = f"after {len(warmed.warm_up_ns)} runs" if warmed.stable else "no"
    return found


def measure(
    cells: Sequence[Cell],
    request: BenchRequest,
    spawn: Spawn,
    joules: Joules,
    free_bytes: int | None,
    progress: Progress,
) -> tuple[CellFact, ...]:
    """Return what was measured of each cell, in their order.

    Args:
        cells: those of one size and role one after the other.
        request: how to measure.
        spawn: starts the worker of a cell.
        joules: that the machine has used so far, where it tells.
        free_bytes: of memory; None where nobody knows.
        progress: is told how far the work is.
    """
    shuffle = random.Random(request.seed)
    found: list[CellFact] = []

    def play(table: Sequence[Cell], first: int) -> list[Candidate]:
        places = [f"{first + number}/{len(cells)}" for number in range(len(table))]
        return _play(table, places, request, spawn, joules, shuffle, progress)

    for table in memory_groups(cells, request.together, free_bytes):
        first = len(found) + 1
        for number, candidate in enumerate(play(table, first)):
            again = candidate
            if candidate.killed or candidate.status == "out-of-memory":
                progress(f"{first + number}/{len(cells)} once more, alone: {candidate.message}")
                (again,) = play([candidate.cell], first + number)
                again.alone = True
            found.append(again.fact())
    return tuple(found)


def memory_groups(
    cells: Sequence[Cell], together: int, free_bytes: int | None
) -> Iterator[tuple[Cell, ...]]:
    """Yield groups of cells of one size and role that fit into memory, as even as they can be.

    Args:
        cells: those of one size and role one after the other.
        together: in a group, at most.
        free_bytes: of memory; None where nobody knows.
    """
    room = math.inf if free_bytes is None else free_bytes * MEMORY_SHARE
    for _, alike in groupby(cells, key=lambda cell: (cell.size, cell.subject.role)):
        waiting = list(alike)
        even = math.ceil(len(waiting) / math.ceil(len(waiting) / together))
        while waiting:
            table = [waiting.pop(0)]
            while waiting and len(table) < even:
                if sum(cell.memory_bytes for cell in (*table, waiting[0])) > room:
                    break
                table.append(waiting.pop(0))
            yield tuple(table)


def _play(
    table: Sequence[Cell],
    places: Sequence[str],
    request: BenchRequest,
    spawn: Spawn,
    joules: Joules,
    shuffle: random.Random,
    progress: Progress,
) -> list[Candidate]:
    """Return the cells of a table, measured in rounds; their workers end whatever happens."""
    candidates: list[Candidate] = []
    try:
        for cell, place in zip(table, places, strict=True):
            progress(f"{place} {cell.label}")
            candidates.append(Candidate(cell, spawn(cell), request))
            _try(candidates[-1], Candidate.prepare)
        for number in range(request.rounds):
            playing = [item for item in candidates if item.status == "measured"]
            shuffle.shuffle(playing)
            if playing:
                progress(
                    f"{number + 1}/{request.rounds} rounds of {len(playing)} at {table[0].size}"
                )
            for item in playing:
                _try(item, lambda item: item.turn(joules))
        for item in candidates:
            if item.status == "measured":
                _try(item, Candidate.finish)
    finally:
        for item in candidates:
            item.worker.end()
    return candidates


def _try(candidate: Candidate, step: Callable[[Candidate], None]) -> None:
    """Take a step of one cell; where it cannot go on, its memory is given back to the others."""
    try:
        step(candidate)
    except Stopped:
        candidate.worker.end()
