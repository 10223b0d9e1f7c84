"""dask.distributed behind two calls: everywhere at once, and one task a host at a time.

A task whose process dies is given to another once; then it is told as killed. On a cluster of the
user's the scheduler's own ``allowed-failures`` says how often.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from styleexport.core.errors import DeviceError, StyleExportError, first_line
from styleexport.core.plugins import needs

CONNECT_SECONDS = 20

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class TaskResult(Generic[T, R]):
    """What became of a task.

    Attributes:
        task: the task.
        value: that its function returned; None where it failed.
        message: why it failed, in one line.
        killed: whether the processes that worked on it died.
        host: that worked on it; empty where nobody knows.
    """

    task: T
    value: R | None
    message: str = ""
    killed: bool = False
    host: str = ""


class Engine:
    """A cluster that is connected. Made by `cluster`.

    Args:
        client: of dask.distributed.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - it is not typed
        self._client = client

    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that work here, sorted."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return tuple(sorted({worker["host"] for worker in workers}))

    def map_tasks(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[TaskResult[T, R]]:
        """Yield outcomes as they come, of as many tasks at once as there are workers."""
        from distributed import as_completed

        futures = {self._submit(function, task): task for task in tasks}
        for future in as_completed(list(futures)):
            yield _outcome(futures.pop(future), future)

    def map_one_per_host(
        self, function: Callable[[T], R], groups: Sequence[Sequence[T]]
    ) -> Iterator[TaskResult[T, R]]:
        """Yield outcomes as they come, of one task at a time on each host.

        Args:
            function: does a task.
            groups: of tasks; a host does all of a group, so that they can be compared.
        """
        from distributed import as_completed

        waiting = deque(groups)
        mine: dict[str, deque[T]] = {host: deque() for host in self.hosts()}
        running: dict[Any, tuple[T, str]] = {}
        finished = as_completed()

        def start(host: str) -> None:
            while not mine[host] and waiting:
                mine[host].extend(waiting.popleft())
            if mine[host]:
                task = mine[host].popleft()
                future = self._submit(function, task, host)
                running[future] = (task, host)
                finished.add(future)

        for host in mine:
            start(host)
        for future in finished:
            task, host = running.pop(future)
            yield _outcome(task, future, host)
            start(host)

    def _submit(self, function: Callable[[T], object], task: T, host: str | None = None) -> Any:  # noqa: ANN401
        return self._client.submit(
            _guarded, function, task, pure=False, workers=[host] if host else None
        )


def _guarded(function: Callable[[T], R], task: T) -> tuple[R | None, str]:
    """Return what a function does of a task, or its error: not every error can be sent."""
    try:
        return function(task), ""
    except StyleExportError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - one task's error stops no other
        return None, first_line(error)


def _outcome(task: T, future: Any, host: str = "") -> TaskResult[T, Any]:  # noqa: ANN401
    from distributed import KilledWorker

    try:
        value, message = future.result()
    except KilledWorker:
        reason = "the process that worked on it was killed, and so was the one that tried again"
        return TaskResult(task, None, reason, killed=True, host=host)
    except Exception as error:  # noqa: BLE001 - what dask raises is not a closed list
        return TaskResult(task, None, first_line(error), host=host)
    finally:
        # A result that is kept is computed anew when the process that holds it dies.
        future.release()
    return TaskResult(task, value, message, host=host)


@contextlib.contextmanager
def cluster(workers: int, scheduler: str | None) -> Generator[Engine]:
    """Return a cluster of processes on this machine, or that of a scheduler.

    Args:
        workers: processes of a local one.
        scheduler: address of a running one, ``tcp://10.0.0.1:8786``; None for a local one.

    Raises:
        DeviceError: there is no scheduler, or nobody works for it.
        MissingExtra: dask.distributed is not installed.
    """
    with needs("a sweep"):
        from distributed import Client
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(_local(workers)) if scheduler is None else scheduler
        try:
            client = stack.enter_context(Client(where, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise DeviceError(
                f"no scheduler at {scheduler}: {first_line(error)}; start one with `dask "
                "scheduler` and workers with `dask worker ADDRESS`, or leave out --scheduler"
            ) from error
        engine = Engine(client)
        if not engine.hosts():
            raise DeviceError(f"nobody works for {scheduler}: start `dask worker {scheduler}`")
        yield engine


@contextlib.contextmanager
def _local(workers: int) -> Generator[Any]:
    """Return a cluster whose processes inherit the environment as it is, and no memory limit."""
    from dask import config
    from distributed import LocalCluster
    from distributed.deploy.spec import close_clusters

    settings = {
        "distributed.scheduler.allowed-failures": 1,
        # What it would set changes how fast libraries are that are measured.
        "distributed.nanny.pre-spawn-environ": {},
    }
    with config.set(settings):
        try:
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=None,  # pyright: ignore[reportArgumentType] - it takes None
                silence_logs=logging.CRITICAL,
            )
        except BaseException:
            # Interrupted half-way, it can only be left: closing it at exit would fail, and say so.
            atexit.unregister(close_clusters)
            raise
        with local:
            yield local
