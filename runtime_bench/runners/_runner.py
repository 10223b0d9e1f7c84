"""What a runner is: it opens a file and runs it. It never times itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from styleexport.core import plugins
from styleexport.core.errors import UsageError

PACKAGE = "styleexport.runtime_bench.runners"

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        threads: of the runtime; None leaves it to the runtime.
    """

    threads: int | None = None


class Session(Protocol):
    """A loaded file: inputs by name in, outputs by name out, float32 all."""

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]: ...


class Runner(Protocol):
    """A runtime.

    Attributes:
        name: the file's.
        suffix: of the files it reads.
    """

    name: str
    suffix: str

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Return a session on the file, closed when the block ends.

        Raises:
            BadArtifact: the runtime cannot load the file.
            MissingExtra: the runtime is not installed.
        """
        ...


def find_runner(name: str) -> Runner:
    """Return a runner by name.

    Raises:
        UsageError: there is none of that name.
        MissingExtra: its library is not installed.
    """
    runner: Runner = plugins.load(PACKAGE, name, "RUNNER")  # pyright: ignore[reportAssignmentType]
    return runner


def runner_for(path: Path) -> Runner:
    """Return the runner that reads files of this suffix.

    Raises:
        UsageError: no runner reads them.
    """
    suffixes: list[str] = []
    for name in plugins.names(PACKAGE):
        runner = find_runner(name)
        if runner.suffix == path.suffix:
            return runner
        suffixes.append(runner.suffix)
    raise UsageError(
        f"no runner reads {path.name}: expected a file ending in {', '.join(suffixes)}"
    )
