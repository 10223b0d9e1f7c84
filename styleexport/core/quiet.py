"""Suppression of the output of other libraries."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Generator

# Of the one stderr that a process has: a block of another thread would restore it too early.
_STDERR = threading.RLock()


class _Quiet:
    """What is suppressed while one thread or several are inside `quiet`."""

    def __init__(self) -> None:
        self._lock, self._inside, self._changes = threading.Lock(), 0, contextlib.ExitStack()

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._changes.enter_context(contextlib.redirect_stdout(io.StringIO()))
            self._changes.enter_context(contextlib.redirect_stderr(io.StringIO()))
            self._changes.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            self._changes.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.CRITICAL)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._changes.close()


_QUIET = _Quiet()


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Suppress everything that libraries print, log and warn of inside the block.

    Streams belong to the process: they come back when the last thread has left.
    """
    _QUIET.enter()
    try:
        yield
    finally:
        _QUIET.leave()


@contextlib.contextmanager
def captured_stderr() -> Generator[list[str]]:
    """Yield a list that holds, behind the block, the lines that were written to stderr inside it.

    Those of compiled code too, whether it writes to the descriptor or through `sys.stderr`.
    """
    lines = list[str]()
    with _STDERR, tempfile.TemporaryFile() as sink:
        before = os.dup(2)
        os.dup2(sink.fileno(), 2)
        text = os.fdopen(os.dup(sink.fileno()), "w", buffering=1, encoding="utf-8")
        try:
            with text, contextlib.redirect_stderr(text):
                yield lines
        finally:
            os.dup2(before, 2)
            os.close(before)
            sink.seek(0)
            lines += sink.read().decode(errors="replace").splitlines()
