"""ExecuTorch's own runtime on the CPU, with XNNPACK."""

from __future__ import annotations

import contextlib
import platform
import re
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, DeviceError, UsageError, first_line
from styleexport.core.plugins import needs
from styleexport.core.quiet import captured_stderr
from styleexport.runtime_bench.formats._pte import partitions_text, read_pte
from styleexport.runtime_bench.formats._pte_coreml import computes_by_core_ml
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

if TYPE_CHECKING:
    from torch import Tensor

# What the library prints when its threads start, whatever it runs: `[file.cpp:line] text`.
START = re.compile(r"\[(cpuinfo_utils\.cpp:\d+\] |threadpool\.cpp:\d+\] Resetting threadpool to )")
REMARK = re.compile(r"^\[[\w.]+:\d+\] ")


class ExecutorchRunner(Runner):
    """Runs ``.pte`` files; inputs and outputs are those of the method, by position.

    The threads are those of the whole process: ExecuTorch has one pool.
    """

    name = "executorch"
    suffixes = (".pte",)

    def reads(self, path: Path) -> bool:
        """Whether it is a ``.pte`` file of a delegate that this machine can have."""
        if path.suffix not in self.suffixes:
            return False
        with contextlib.suppress(BadArtifact):
            return not computes_by_core_ml(read_pte(path)) or platform.system() == "Darwin"
        return True

    def start(self) -> None:
        """Import ExecuTorch; see `Runner.start`."""
        with needs("ExecuTorch"):
            import executorch.runtime as _  # noqa: F401

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the file; see `Runner.open`."""
        import torch

        file = read_pte(path)
        if options.batch > 1:
            raise UsageError(
                f"ExecuTorch cannot run {path.name} on {options.batch} pictures at once, its "
                "memory is planned for one; type --batch 1"
            )
        method, threads = _load(path, options.threads)
        fed: list[Tensor] = []
        results: list[Tensor] = []

        def feed(inputs: Arrays) -> None:
            fed[:] = [
                torch.from_numpy(_checked(path, name, inputs, value.shape))
                for name, value in file.inputs.items()
            ]

        def invoke() -> None:
            try:
                results[:] = method.execute(fed)
            except Exception as error:
                raise BadArtifact(
                    f"{path} does not run: {first_line(error)}; export the network again"
                ) from error

        def fetch() -> dict[str, NDArray[np.float32]]:
            return {name: x.numpy() for name, x in zip(file.outputs, results, strict=True)}

        yield Session(
            feed,
            invoke,
            fetch,
            lambda: {"partitions": partitions_text(file), "threads": str(threads())},
        )


def _load(path: Path, threads: int | None) -> tuple[Any, Callable[[], int]]:
    """Return the method of a file, and what tells the number of threads.

    Raises:
        BadArtifact: ExecuTorch cannot load the file.
        DeviceError: it computes by a delegate that this machine lacks.
    """
    with needs("ExecuTorch"):
        from executorch.extension.pybindings.portable_lib import (
            _threadpool_get_thread_count as thread_count,  # pyright: ignore[reportPrivateUsage]
        )
        from executorch.extension.pybindings.portable_lib import (
            _unsafe_reset_threadpool as reset_pool,  # pyright: ignore[reportPrivateUsage]
        )
        from executorch.runtime import Runtime
    runtime, file = Runtime.get(), read_pte(path)
    for delegate in dict.fromkeys(part.delegate for part in file.partitions):
        if not runtime.backend_registry.is_available(delegate):
            raise DeviceError(
                f"{path.name} computes by {delegate}, which ExecuTorch does not have on this "
                "machine; run it on a device that does"
            )
    remarks = list[str]()
    try:
        with captured_stderr() as remarks:
            started = thread_count()
            if threads is not None and threads != started:
                reset_pool(threads)
            method = runtime.load_program(path).load_method(file.method)
    except Exception as error:
        raise BadArtifact(
            f"ExecuTorch cannot load {path}: {_reason(error, remarks)}; export the network "
            "again with the version that is to run it"
        ) from error
    for line in _said(remarks):
        sys.stderr.write(f"{line}\n")
    return method, thread_count


def _said(remarks: list[str]) -> list[str]:
    """Return what the library prints, without its search for CPUs and the threads that it sets."""
    return [line for line in remarks if not START.match(line)]


def _reason(error: Exception, remarks: list[str]) -> str:
    """Return why a file was not loaded: exceptions hold a number, and what is printed the cause."""
    said = [REMARK.sub("", line) for line in _said(remarks)]
    return f"{said[0]} ({first_line(error)})" if said else first_line(error)


def _checked(path: Path, name: str, inputs: Arrays, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an input, contiguous.

    Raises:
        UsageError: it is missing, or differs from the file's in shape.
    """
    value = inputs.get(name)
    if value is None or value.shape != shape:
        got = "nothing" if value is None else f"shape {list(value.shape)}"
        raise UsageError(f"{path.name} takes {name} of shape {list(shape)}, got {got}")
    return np.ascontiguousarray(value, np.float32)


RUNNER = ExecutorchRunner()
