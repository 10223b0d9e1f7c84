"""The worker: one process that loads one file in one runtime and runs it when it is told to.

It reads commands on stdin and writes answers where its stdout was; what libraries print goes to
stderr.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from styleexport.core.arrays import Array, Arrays
from styleexport.core.errors import (
    DeviceError,
    MissingExtra,
    StyleExportError,
    UsageError,
    first_line,
)
from styleexport.runtime_bench.bench import messages
from styleexport.runtime_bench.bench.probe_check import measure_parity, read_probes
from styleexport.runtime_bench.bench.timing import Clock, Sample, clock_ns, timed, turn, warm_up
from styleexport.runtime_bench.machine.memory import peak_rss_bytes, rss_bytes
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session, find_runner

LOADS = 2
# What runtimes say, in errors of their own, when memory runs out.
MEMORY_WORDS = (
    "bad_alloc",
    "out of memory",
    "failed to allocate",
    "allocate memory",
    "not enough memory",
)


class WorkerState:
    """Where one file is loaded and run: the worker without its process.

    Args:
        find: returns a runner by name.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self, find: Callable[[str], Runner] = find_runner, clock: Clock = clock_ns
    ) -> None:
        self._find = find
        self._clock = clock
        self._open = ExitStack()
        self._job: messages.Job | None = None
        self._session: Session | None = None
        self._probes: tuple[dict[str, Array], ...] = ()
        self._effective: dict[str, str] = {}

    def answer(self, command: messages.Command) -> messages.Answer:
        """Return the answer to a command."""
        try:
            return self._answer(command)
        except Exception as error:  # noqa: BLE001 - whatever breaks ends this cell alone
            return refusal(error)

    def _answer(self, command: messages.Command) -> messages.Answer:
        match command:
            case messages.Load(job=job):
                return self._load(job)
            case messages.Probe():
                return self._probe()
            case messages.Warm(rule=rule):
                return warm_up(self._run, rule, self._clock)
            case messages.Turn(seconds=seconds, min_samples=least):
                return turn(self._run, seconds, least, self._clock)
            case messages.Profile(layers=layers):
                return self._profile(layers)
            case messages.Peak():
                return messages.Peaked(peak_rss_bytes=peak_rss_bytes())

    def _load(self, job: messages.Job) -> messages.Answer:
        if job.affinity and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, job.affinity)
        runner = self._find(job.runner)
        reason = runner.unavailable(job.settings)
        if reason is not None:
            return messages.Refused(status="unavailable", message=reason)
        runner.start()
        self._job, self._probes = job, read_probes(job)
        idle, loads = rss_bytes(), list[int]()
        for _ in range(LOADS):
            self._open.close()
            gc.collect()
            begun = self._clock()
            self._session = self._open.enter_context(runner.open(Path(job.file), _options(job)))
            loads.append(self._clock() - begun)
        assert self._session is not None
        self._effective = dict(self._session.effective())
        return messages.Loaded(
            idle_rss_bytes=idle, loads_ns=tuple(loads), effective=self._effective
        )

    def _probe(self) -> messages.Answer:
        job, session = self._loaded()
        inferences: list[int] = []

        def run(inputs: Mapping[str, Array]) -> Array:
            session.feed(inputs)
            begun = self._clock()
            session.invoke()
            inferences.append(self._clock() - begun)
            return session.fetch()[job.output]

        try:
            parity, picture = measure_parity(run, job, self._probes, self._effective)
        except Exception as error:
            if job.batch == 1 or is_memory(error):
                raise
            raise UsageError(
                f"{Path(job.file).name} does not run on {job.batch} pictures at once: "
                f"{first_line(error)}"
            ) from error
        return messages.Probed(first_ns=inferences[0], parity=parity, picture=picture)

    def _profile(self, layers: Mapping[str, str]) -> messages.Answer:
        from styleexport.runtime_bench import profiles

        job, _ = self._loaded()
        found = profiles.operations(
            Path(job.file), job.runner, _options(job), self._inputs(job), layers
        )
        return messages.Profiled(operations=found)

    def _run(self) -> Sample:
        job, session = self._loaded()
        return timed(session, self._inputs(job), self._clock)

    def _inputs(self, job: messages.Job) -> Arrays:
        return {name: self._probes[0][name] for name in job.inputs}

    def _loaded(self) -> tuple[messages.Job, Session]:
        assert self._job is not None, "asked before a file was loaded"
        assert self._session is not None, "asked before a file was loaded"
        return self._job, self._session


def _options(job: messages.Job) -> RunOptions:
    return RunOptions(job.threads, job.batch, job.settings)


def refusal(error: BaseException) -> messages.Refused:
    """Return what an error means for the cell."""
    message = str(error) if isinstance(error, StyleExportError) else first_line(error)
    if is_memory(error):
        return messages.Refused(status="out-of-memory", message=message)
    if isinstance(error, DeviceError | MissingExtra | UsageError):
        return messages.Refused(status="unavailable", message=message)
    return messages.Refused(status="failed", message=message)


def is_memory(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that memory ran out."""
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(word in text for word in MEMORY_WORDS):
            return True
        error = error.__cause__
    return False


def serve(commands: BinaryIO, answers: BinaryIO, station: WorkerState) -> None:
    """Answer commands, a line each, until there are no more."""
    decoder = msgspec.json.Decoder(messages.Command)
    for line in commands:
        answers.write(msgspec.json.encode(station.answer(decoder.decode(line))) + b"\n")
        answers.flush()


def main() -> None:
    """Serve the process that started this one."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, WorkerState())


if __name__ == "__main__":
    main()
