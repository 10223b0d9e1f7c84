"""Worker process: loads one file in one runtime and runs it on command.

It reads commands from stdin and writes answers to the descriptor that was its stdout; anything that
libraries print goes to stderr.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from styleexport.core.arrays import Array, Arrays
from styleexport.core.errors import (
    DeviceError,
    MissingExtra,
    StyleExportError,
    UsageError,
    first_line,
)
from styleexport.runtime_bench.bench import messages
from styleexport.runtime_bench.bench.probe_check import allowed_db, encoded_picture, repeated
from styleexport.runtime_bench.bench.timing import Clock, Sample, clock_ns, timed, turn, warm_up
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.machine.memory import peak_rss_bytes, rss_bytes
from styleexport.runtime_bench.parity import measure_parity, read_probe
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session, find_runner

# Texts of runtimes' own errors that mean that memory ran out.
MEMORY_WORDS = (
    "bad_alloc",
    "out of memory",
    "failed to allocate",
    "allocate memory",
    "not enough memory",
)


@dataclass(frozen=True)
class _LoadedCell:
    """A loaded cell.

    Attributes:
        cell: the cell.
        plan: measuring plan.
        runner: its runner.
        session: session on its file.
        probes: tensors of its probes, repeated to its batch.
        effective: settings as the runtime reports them.
    """

    cell: Cell
    plan: PlanFact
    runner: Runner
    session: Session
    probes: tuple[dict[str, Array], ...]
    effective: Mapping[str, str]

    @property
    def inputs(self) -> Arrays:
        """Inputs of the first probe."""
        return {item.name: self.probes[0][item.name] for item in self.cell.file.inputs}


class WorkerState:
    """State of a worker: the loaded cell, apart from the process.

    Args:
        find: returns a runner by name.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self, find: Callable[[str], Runner] = find_runner, clock: Clock = clock_ns
    ) -> None:
        self._find = find
        self._clock = clock
        self._files = ExitStack()
        self._loaded: _LoadedCell | None = None

    def answer(self, command: messages.Command) -> messages.Answer:
        """Return the answer to a command."""
        try:
            match command:
                case messages.Load(cell=cell, plan=plan):
                    return self._load(cell, plan)
                case messages.CheckProbes():
                    return self._check_probes(self._current())
                case messages.Warm():
                    return warm_up(self._run, self._current().plan, self._clock)
                case messages.Turn():
                    return turn(self._run, self._current().plan, self._clock)
                case messages.Profile():
                    return _profile(self._current())
                case messages.Peak():
                    return messages.Peaked(peak_rss_bytes=peak_rss_bytes())
        except Exception as error:  # noqa: BLE001 - any failure ends this cell alone
            return refusal(error)

    def _load(self, cell: Cell, plan: PlanFact) -> messages.Answer:
        if cell.affinity and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cell.affinity)
        runner = self._find(cell.choice.name)
        reason = runner.unavailable(cell.choice.settings)
        if reason is not None:
            return messages.Refused(status="unavailable", message=reason)
        runner.start()
        probes = tuple(
            repeated(read_probe(cell.artifact, probe), cell.batch) for probe in cell.probes
        )
        idle = rss_bytes()
        session, cold_ns = self._open(runner, cell)
        session, warm_ns = self._open(runner, cell)
        effective = dict(session.effective())
        self._loaded = _LoadedCell(cell, plan, runner, session, probes, effective)
        loads = (cold_ns, warm_ns)
        return messages.Loaded(idle_rss_bytes=idle, loads_ns=loads, effective=effective)

    def _open(self, runner: Runner, cell: Cell) -> tuple[Session, int]:
        """Load the file of a cell, in place of an open one; return the load time in nanoseconds."""
        self._files.close()
        gc.collect()
        start = self._clock()
        session = self._files.enter_context(runner.open(cell.path, _options(cell)))
        return session, self._clock() - start

    def _check_probes(self, loaded: _LoadedCell) -> messages.Answer:
        cell, session, output = loaded.cell, loaded.session, loaded.cell.file.outputs[0]
        inferences, outputs = list[int](), list[Arrays]()

        def run(inputs: Mapping[str, Array]) -> Arrays:
            session.feed(inputs)
            start = self._clock()
            session.invoke()
            inferences.append(self._clock() - start)
            outputs.append(session.fetch())
            return outputs[-1]

        rounds = loaded.runner.rounds_pictures
        try:
            parity = measure_parity(
                run,
                cell.file,
                loaded.probes,
                label=cell.path.name,
                runner=cell.choice.name,
                allowed_db=allowed_db(cell, loaded.effective, rounds_pictures=rounds),
            )
        except Exception as error:
            if cell.batch == 1 or is_memory(error):
                raise
            raise UsageError(
                f"{cell.path.name} does not run on {cell.batch} pictures at once: "
                f"{first_line(error)}"
            ) from error
        picture = encoded_picture(outputs[0][output.name]) if output.kind == "image" else None
        return messages.Checked(first_ns=inferences[0], parity=parity, picture=picture)

    def _run(self) -> Sample:
        loaded = self._current()
        return timed(loaded.session, loaded.inputs, self._clock)

    def _current(self) -> _LoadedCell:
        assert self._loaded is not None, "asked before a file was loaded"
        return self._loaded


def _profile(loaded: _LoadedCell) -> messages.Profiled:
    from styleexport.runtime_bench import profiles

    cell = loaded.cell
    operations = profiles.operations(
        cell.path, cell.choice.name, _options(cell), loaded.inputs, cell.layers
    )
    return messages.Profiled(operations=operations)


def _options(cell: Cell) -> RunOptions:
    return RunOptions(cell.threads, cell.batch, cell.choice.settings)


def refusal(error: BaseException) -> messages.Refused:
    """Return the status and message that an error gives to its cell."""
    message = str(error) if isinstance(error, StyleExportError) else first_line(error)
    if is_memory(error):
        return messages.Refused(status="out-of-memory", message=message)
    if isinstance(error, DeviceError | MissingExtra | UsageError):
        return messages.Refused(status="unavailable", message=message)
    return messages.Refused(status="failed", message=message)


def is_memory(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, means that memory ran out."""
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(word in text for word in MEMORY_WORDS):
            return True
        error = error.__cause__
    return False


def serve(commands: BinaryIO, answers: BinaryIO, state: WorkerState) -> None:
    """Answer commands, one per line, until the input ends."""
    for line in commands:
        answers.write(messages.encode(state.answer(messages.decode_command(line))))
        answers.flush()


def main() -> None:
    """Serve the process that started this one."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, WorkerState())


if __name__ == "__main__":
    main()
