"""Process of a worker, as the harness controls it: commands, time limits, and its end."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

import msgspec

from styleexport.runtime_bench.bench import messages

MODULE = "styleexport.runtime_bench.bench.worker"
# -P: the worker imports its modules from where this process does, and from nowhere else.
COMMAND = (sys.executable, "-P", "-m", MODULE)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
EXIT_SECONDS = 5.0


class Worker(Protocol):
    """Measures one cell."""

    def ask(self, command: messages.Command, seconds: float) -> messages.Answer:
        """Return the answer to a command.

        Args:
            command: command to carry out.
            seconds: time limit for the answer.
        """
        ...

    def end(self) -> None:
        """End it immediately."""
        ...


class WorkerProcess:
    """A worker in a process of its own, which does not receive the terminal's Ctrl-C.

    Args:
        threads: number of threads, for libraries that read it from their environment.
        command: command line of the process.
    """

    def __init__(self, threads: int, command: Sequence[str] = COMMAND) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(threads),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._stdout, self._lines), daemon=True).start()

    def ask(self, command: messages.Command, seconds: float) -> messages.Answer:
        """Return the answer to a command; the death of the process is reported as one."""
        try:
            self._stdin.write(messages.encode(command))
            self._stdin.flush()
            line = self._lines.get(timeout=seconds)
        except (OSError, ValueError):  # a pipe without its reader, or closed by `end`
            return self._died()
        except queue.Empty:
            self.end()
            return messages.Refused(status="failed", message=f"no answer within {seconds:.0f} s")
        if not line:
            return self._died()
        try:
            return messages.decode_answer(line)
        except msgspec.DecodeError as error:
            self.end()
            return messages.Refused(
                status="failed", message=f"the worker answered nonsense: {error}"
            )

    def end(self) -> None:
        """Kill the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout, self._stderr):
            _close(pipe)

    def _died(self) -> messages.Refused:
        try:
            code = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        last = "" if self._stderr.closed else self._last_error_line()
        self.end()
        if code is not None and -code == getattr(signal, "SIGKILL", 0):
            return messages.Refused(
                status="out-of-memory",
                message="the worker was killed, as the system does where memory runs out",
                killed=True,
            )
        memory = "bad_alloc" in last
        how = "closed its answers" if code is None else _ending(code)
        return messages.Refused(
            status="out-of-memory" if memory else "failed",
            message=f"the worker {how}" + (f": {last}" if last else ""),
            killed=code is not None and code < 0,
        )

    def _last_error_line(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read()[-4000:].decode(errors="replace").splitlines()
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


def _read(pipe: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Queue the lines of a pipe, and an empty one at its end."""
    with contextlib.suppress(OSError, ValueError):  # closed while it is read
        for line in pipe:
            lines.put(line)
    lines.put(b"")


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # buffered output has no reader any more
        pipe.close()


def _environment(threads: int) -> dict[str, str]:
    """Return this process's environment with the thread count and its module path."""
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
    }


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"ended with {signal.Signals(-code).name}"
    except ValueError:
        return f"ended with signal {-code}"
