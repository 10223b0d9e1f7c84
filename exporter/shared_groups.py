"""Groups of files of the graphs that the calling process exports, written by workers too.

The calling process takes groups from the start of a graph's list; workers that have no graph left
to export take them from the end. What is shared, the captured graph and its int8 plans, is made
once and sent.
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from styleexport.core.file_names import FileName
from styleexport.core.manifest import PassFact, ProbeFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph_job import ExportRun, GraphJob
from styleexport.exporter.write_files import (
    FileGroup,
    Plans,
    WrittenFile,
    file_groups,
    in_order,
    write_group,
)


@dataclass(frozen=True)
class SentJob:
    """A graph on its way to a worker, which knows the export that it belongs to.

    Attributes:
        name: name of its files, without precision and suffix.
        graph: rewritten graph.
        passes: rewrites of the graph.
        probes: golden inputs and outputs.
        plans: int8 plans, without what was measured for the choice.
    """

    name: FileName
    graph: Graph
    passes: tuple[PassFact, ...]
    probes: tuple[ProbeFact, ...]
    plans: Plans

    def of(self, run: ExportRun) -> GraphJob:
        """Return the graph as a job of an export."""
        return GraphJob(run, self.name, self.graph, self.passes, self.probes)


@dataclass(frozen=True)
class SentGroup:
    """A group of files for a worker to write, and the pickled `SentJob` of its graph."""

    job: bytes
    group: FileGroup


class Stopped(Exception):
    """A worker has failed, and its thread holds the error."""


class SharedGroups:
    """The groups that wait to be written, for the calling process and the threads of workers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[FileGroup] = deque()
        self._written: list[WrittenFile] = []
        self._job: bytes | None = None
        self._away = 0
        self._closed = False

    def write(self, job: GraphJob, plans: Plans) -> tuple[WrittenFile, ...]:
        """Write the files of a graph with the help of workers; see `write_files`.

        Raises:
            Stopped: a worker has failed.
        """
        group, *others = file_groups(job, plans)
        message = _message(job, plans) if others else None
        with self._changed:
            self._job, self._written = message, []
            self._waiting.extend(others)
            self._changed.notify_all()
        while group is not None:
            self._written += write_group(job, plans, group)
            group = self._next()
        if self._closed:
            raise Stopped
        return in_order(job, self._written)

    def _next(self) -> FileGroup | None:
        """Return the next group of the calling process; None when all are written."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._away or self._closed)
            return self._waiting.popleft() if self._waiting and not self._closed else None

    def taken(self) -> Iterator[SentGroup]:
        """Yield groups to a worker's thread, until `close`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or (self._waiting and self._job))
                if self._closed or self._job is None:
                    return
                self._away += 1
                sent = SentGroup(self._job, self._waiting.pop())
            yield sent

    def give_back(self, sent: SentGroup, files: list[WrittenFile]) -> None:
        """Take what a worker made of a group; nothing leaves the group to the calling process."""
        with self._changed:
            self._away -= 1
            self._written += files
            if not files:
                self._waiting.append(sent.group)
            self._changed.notify_all()

    def close(self) -> None:
        """End the waiting of all threads: every graph is exported, or one has failed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _message(job: GraphJob, plans: Plans) -> bytes | None:
    """Return a graph as a worker reads it, or None where it cannot be sent."""
    if job.graph.dynamic:  # its sizes would be symbols of other names there
        return None
    # What was measured holds models that only the calling process can store again.
    sent = {precision: replace(chosen, measured=None) for precision, chosen in plans.items()}
    try:
        return pickle.dumps(SentJob(job.name, job.graph, job.passes, job.probes, sent))
    except Exception:  # noqa: BLE001 - a user's operation may raise anything
        return None


class ReceivedJobs:
    """The graphs that a worker process has read; the last one is kept, with all it has made.

    Attributes:
        run: export that they belong to.
    """

    def __init__(self, run: ExportRun) -> None:
        self.run = run
        self._bytes = b""
        self._job: GraphJob | None = None
        self._plans: Plans = {}

    def write(self, sent: SentGroup) -> list[WrittenFile]:
        """Write a group of files; none where the graph cannot be read in this process."""
        if sent.job != self._bytes:
            try:
                read: SentJob = pickle.loads(sent.job)
            except Exception:  # noqa: BLE001 - a user's operation may be known to its process alone
                return []
            self._bytes, self._job, self._plans = sent.job, read.of(self.run), read.plans
        assert self._job is not None
        return list(write_group(self._job, self._plans, sent.group))
