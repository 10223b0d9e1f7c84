"""Graphs of an export in several processes at once.

Most of an export is Python code of the converters, which threads of one process cannot run side by
side. The calling process exports graphs from the end of the list; workers, each with a copy of the
network, take them from the start, and then write files of the calling process's graphs. The cores
are shared out: threads of several processes that wait for one another on the same cores take
several times as long. What is written does not depend on the number of processes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import NoReturn

import torch

from styleexport.core.errors import DeviceError, StyleExportError
from styleexport.core.garbage import rare_collections
from styleexport.core.quiet import quiet
from styleexport.core.types import Progress, Role, Size
from styleexport.exporter.export_graph import ExportedGraph, export_graph
from styleexport.exporter.graph_job import ExportRun
from styleexport.exporter.shared_groups import ReceivedJobs, SentGroup, SharedGroups, Stopped
from styleexport.exporter.write_files import WrittenFile, write_files
from styleexport.runtime_bench.runners._torch_threads import torch_threads

LARGEST_SIDE = 1024  # above it, memory is the limit rather than time
# A user's files do not replace libraries there either.
START = (
    "from styleexport.core.shadowing import protect_libraries; protect_libraries(); "
    "from styleexport.core.garbage import collect_rarely; collect_rarely(); "
    f"from {__name__} import serve; serve()"
)
GraphKey = tuple[Role, Size]
Work = GraphKey | SentGroup
# A line of progress, a finished graph or group of files, or why there is none.
Answer = str | ExportedGraph | list[WrittenFile] | Exception


def default_jobs(sizes: Sequence[Size]) -> int:
    """Return the number of processes that an export uses where none is named.

    Two, where the machine has two cores and no picture is larger than 1024 pixels; otherwise one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    small = all(max(size.height, size.width) <= LARGEST_SIDE for size in sizes)
    return 2 if small and (cores or 1) > 1 else 1


def export_graphs(run: ExportRun, keys: Sequence[GraphKey]) -> list[ExportedGraph]:
    """Export graphs in as many processes as the request says, and return them in order.

    A network that cannot be sent to another process is exported in this one. There is work for
    another one where there are several graphs, or several targets of one.

    Raises:
        StyleExportError: what exporting any of them raises.
        DeviceError: a worker process was killed.
    """
    jobs = min(run.request.jobs, max(len(keys), len(run.targets)))
    message = _message(run) if jobs > 1 else None
    jobs = jobs if message else 1
    threads = max(1, torch.get_num_threads() // jobs)
    waiting = deque(enumerate(keys))
    finished: dict[int, ExportedGraph] = {}
    shared = SharedGroups()
    workers = [
        _Worker(message, threads, run.progress, waiting, finished, shared)
        for _ in range(1, jobs)
        if message
    ]
    try:
        for worker in workers:
            worker.start()
        with torch_threads(threads), rare_collections(), contextlib.suppress(Stopped):
            for place, key in _taken(waiting.pop):
                write = shared.write if workers else write_files
                finished[place] = export_graph(run, *key, write)
        shared.close()
        for worker in workers:
            worker.join()
            if worker.error is not None:
                raise worker.error
    finally:
        shared.close()
        for worker in workers:
            worker.kill()
    return [finished[place] for place in range(len(keys))]


def _taken(take: Callable[[], tuple[int, GraphKey]]) -> Iterator[tuple[int, GraphKey]]:
    """Yield what is taken from one end of a queue, until it is empty."""
    with contextlib.suppress(IndexError):
        while True:
            yield take()


class _Worker(threading.Thread):
    """A worker process, and the thread that hands graphs to it.

    Attributes:
        error: what exporting a graph raised.
    """

    def __init__(
        self,
        message: bytes,
        threads: int,
        progress: Progress,
        waiting: deque[tuple[int, GraphKey]],
        finished: dict[int, ExportedGraph],
        shared: SharedGroups,
    ) -> None:
        super().__init__(daemon=True)
        self.message = message
        self.progress = progress
        self.waiting = waiting
        self.finished = finished
        self.shared = shared
        self.error: Exception | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "OMP_NUM_THREADS": str(threads),
            },
        )

    def run(self) -> None:
        """Hand graphs to the process until none is left, or until one fails."""
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(self.message)
            if self._answer() is None:
                return  # the network cannot be read there: the calling process exports all
            for place, key in _taken(self.waiting.popleft):
                graph = self._asked(key)
                assert isinstance(graph, ExportedGraph)
                self.finished[place] = graph
            for sent in self.shared.taken():
                files = self._asked(sent)
                assert isinstance(files, list)
                self.shared.give_back(sent, files)
                if not files:
                    return  # the graph cannot be read there
        except Exception as error:  # noqa: BLE001 - raised again by the calling thread
            self.error = error
            self.waiting.clear()
            self.shared.close()

    def kill(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _asked(self, work: Work) -> ExportedGraph | list[WrittenFile]:
        """Return what the process makes of its work, and pass its progress on."""
        assert self.process.stdin is not None
        pickle.dump(work, self.process.stdin)
        self.process.stdin.flush()
        while isinstance(answer := self._answer(), str):
            self.progress(answer)
        if answer is None:
            what = "files" if isinstance(work, SentGroup) else " ".join(map(str, work))
            raise DeviceError(
                f"the process that exported {what} ended with {self.process.wait()}, often "
                "for lack of memory; type --jobs 1"
            )
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self) -> Answer | None:
        """Return what the process says next; None when it has ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        return None


def _message(run: ExportRun) -> bytes | None:
    """Return an export as a worker reads it, or None where the network cannot be sent."""
    request = run.request
    network = replace(request.network.network, build=_unavailable, read=_unavailable, start=None)
    loaded = replace(request.network, network=network)
    sent = replace(run, request=replace(request, network=loaded), progress=_unavailable)
    try:
        return pickle.dumps(sent)
    except Exception:  # noqa: BLE001 - a user's module may raise anything
        return None


def _unavailable(*_: object, **__: object) -> NoReturn:
    raise AssertionError("not in a worker process")


def serve() -> NoReturn:
    """Run a worker process: read an export and its graphs from stdin, answer on stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the calling process kills this one
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print

    def answer(value: Answer) -> None:
        pickle.dump(value, answers)
        answers.flush()

    try:
        with quiet():  # it imports the libraries of the targets
            run: ExportRun = replace(pickle.load(sys.stdin.buffer), progress=answer)
    except Exception:  # noqa: BLE001 - a user's module may raise anything
        sys.exit(1)
    answer("ready")
    received: SimpleQueue[Work] = SimpleQueue()
    threading.Thread(target=_read_work, args=(received,), daemon=True).start()
    jobs = ReceivedJobs(run)
    with rare_collections():
        while True:
            work = received.get()
            try:
                shared = isinstance(work, SentGroup)
                answer(jobs.write(work) if shared else export_graph(run, *work))
            except StyleExportError as error:
                answer(error)
            except Exception:  # noqa: BLE001 - raised again by the calling process
                answer(RuntimeError(f"in a worker process:\n{traceback.format_exc()}"))


def _read_work(received: SimpleQueue[Work]) -> NoReturn:
    """Read what is to be exported; end the process when the calling process has ended."""
    while True:
        try:
            received.put(pickle.load(sys.stdin.buffer))
        except (EOFError, OSError):
            os._exit(0)
