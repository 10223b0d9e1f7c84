"""Task execution on dask.distributed: in parallel, or one task at a time per host.

A task whose process dies is retried once and then reported as killed. On a user's cluster the
scheduler's ``allowed-failures`` sets the number of retries.
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
    """The result of a task.

    Attributes:
        task: the task.
        value: return value; None where the task failed.
        message: reason of the failure, one line; "" for none.
        killed: whether its processes died.
        host: host that ran it; "" where it is unknown.
    """

    task: T
    value: R | None
    message: str = ""
    killed: bool = False
    host: str = ""


class Engine:
    """A connection to a cluster, opened by `cluster`.

    Args:
        client: client of dask.distributed.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - it is not typed
        self._client = client

    def hosts(self) -> tuple[str, ...]:
        """Return the hosts of the workers, sorted."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return tuple(sorted({worker["host"] for worker in workers}))

    def map_tasks(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[TaskResult[T, R]]:
        """Yield results as tasks finish; as many run at once as there are workers."""
        from distributed import as_completed

        futures = {self._submit(function, task): task for task in tasks}
        for future in as_completed(list(futures)):
            yield _result(futures.pop(future), future)

    def map_one_per_host(
        self, function: Callable[[T], R], groups: Sequence[Sequence[T]]
    ) -> Iterator[TaskResult[T, R]]:
        """Yield results as tasks finish; each host runs one task at a time.

        Args:
            function: runs a task.
            groups: groups of tasks; one host runs a whole group, so that its results compare.
        """
        from distributed import as_completed

        waiting = deque(groups)
        queues: dict[str, deque[T]] = {host: deque() for host in self.hosts()}
        running: dict[Any, tuple[T, str]] = {}
        finished = as_completed()

        def start(host: str) -> None:
            while not queues[host] and waiting:
                queues[host].extend(waiting.popleft())
            if queues[host]:
                task = queues[host].popleft()
                future = self._submit(function, task, host)
                running[future] = (task, host)
                finished.add(future)

        for host in queues:
            start(host)
        for future in finished:
            task, host = running.pop(future)
            yield _result(task, future, host)
            start(host)

    def _submit(self, function: Callable[[T], object], task: T, host: str | None = None) -> Any:  # noqa: ANN401
        return self._client.submit(
            _guarded, function, task, pure=False, workers=[host] if host else None
        )


def _guarded(function: Callable[[T], R], task: T) -> tuple[R | None, str]:
    """Return a function's value, or its error as text: not every error can be pickled."""
    try:
        return function(task), ""
    except StyleExportError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - one task's error stops no other
        return None, first_line(error)


def _result(task: T, future: Any, host: str = "") -> TaskResult[T, Any]:  # noqa: ANN401
    from distributed import KilledWorker

    try:
        value, message = future.result()
    except KilledWorker:
        reason = "the process that worked on it was killed, and so was the one that tried again"
        return TaskResult(task, None, reason, killed=True, host=host)
    except Exception as error:  # noqa: BLE001 - what dask raises is not a closed list
        return TaskResult(task, None, first_line(error), host=host)
    finally:
        # A kept result is recomputed when the process that holds it dies.
        future.release()
    return TaskResult(task, value, message, host=host)


@contextlib.contextmanager
def cluster(workers: int, scheduler: str | None) -> Generator[Engine]:
    """Return the connection to a new local cluster, or to a running scheduler.

    Args:
        workers: number of processes of a local cluster.
        scheduler: address of a running scheduler, ``tcp://10.0.0.1:8786``; None is local.

    Raises:
        DeviceError: there is no such scheduler, or it has no worker.
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
    """Return a cluster whose processes inherit the unchanged environment and no memory limit."""
    from dask import config
    from distributed import LocalCluster
    from distributed.deploy.spec import close_clusters

    settings = {
        "distributed.scheduler.allowed-failures": 1,
        # Its settings would change the speed of the measured libraries.
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
            # A half-started cluster cannot be closed: at exit that would fail with a message.
            atexit.unregister(close_clusters)
            raise
        with local:
            yield local
