"""What a runner is: it opens a file and runs it. It never times itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from styleexport.core import plugins
from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from styleexport.core.types import Progress
    from styleexport.runtime_bench.contract.latency import LatencyReport
    from styleexport.runtime_bench.contract.remote import MeasureRequest

PACKAGE = "styleexport.runtime_bench.runners"


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        threads: of the runtime; None leaves it to the runtime.
        batch: pictures at once; files hold one, and a runner that cannot widen them refuses.
        settings: of the runner, from its `Runner.choices`; what is left out is the first of them.
    """

    threads: int | None = None
    batch: int = 1
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Session:
    """A loaded file: inputs by name in, outputs by name out, float32 all.

    Images are [N, 3, H, W], RGB in 0..1, N being the batch, whatever the file itself takes: `feed`
    converts to the file's layout, range and element type, and `fetch` back. The strength is [1],
    one for all pictures. `invoke` alone is the
    inference, with everything that it started finished when it returns.

    Attributes:
        feed: takes the inputs.
        invoke: runs the file on what was fed.
        fetch: returns the outputs of the last run.
        effective: returns the settings as the runtime itself reports them.
    """

    feed: Callable[[Arrays], None]
    invoke: Callable[[], None]
    fetch: Callable[[], dict[str, NDArray[np.float32]]]
    effective: Callable[[], Mapping[str, str]] = dict[str, str]

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """Return what the file computes."""
        self.feed(inputs)
        self.invoke()
        return self.fetch()


class Runner(Protocol):
    """A runtime.

    Attributes:
        name: the file's.
        suffix: of the files it reads.
        rounds_pictures: whether pictures come out rounded to 8 bits where the file has it so.
        proves: whether the parity of artifacts is measured with it.
        timed: whether its time says anything; that of an interpreter for proofs does not.
        own_clock: whether it takes its samples itself, as a browser does, and cannot be opened:
            `measure` is called instead.
        elsewhere: whether it runs on another device than this; such a runner is used only where
            it is named, and its report stands apart.
        choices: setting → the values it may take, the default first.
    """

    name: str
    suffix: str
    rounds_pictures: bool = False
    proves: bool = True
    timed: bool = True
    own_clock: bool = False
    elsewhere: bool = False
    choices: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return why this machine cannot run it, in one line; None where it can.

        Args:
            settings: that are asked for; what is left out is the default.
        """
        return None

    def reads(self, path: Path) -> bool:
        """Whether it reads files of this suffix."""
        return path.suffix == self.suffix

    def start(self) -> None:
        """Import the runtime, so that loading a file is timed apart from it.

        Raises:
            MissingExtra: the runtime is not installed.
        """

    def setting(self, settings: Mapping[str, str], name: str) -> str:
        """Return a setting: what was asked for, or its default."""
        return settings.get(name, self.choices[name][0])

    def in_float32(self) -> Runner | None:
        """Return a runner that keeps every tensor in float32; None where there is none."""
        return None

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return tensors from inside a file, by name, of one run: dequantized, images NCHW.

        Names that the file does not hold are left out.
        """
        ...

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Return a session on the file, closed when the block ends.

        Raises:
            BadArtifact: the runtime cannot load the file.
            DeviceError: it cannot run with these settings here.
            MissingExtra: the runtime is not installed.
            UsageError: it cannot run this batch.
        """
        ...

    def measure(self, ask: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return what a runner with a clock of its own measured.

        Every cell bears the runner's name and the settings that were asked; a cell that is missing
        counts as failed.

        Args:
            ask: what to measure, and how.
            progress: is told how far it is.

        Raises:
            BadArtifact: the artifact is not whole.
            DeviceError: it cannot be reached, or did not do its part.
            MissingExtra: a program or library that it needs is not installed.
            UsageError: it runs none of the files, or cannot be used in the way that was asked.
        """
        raise DeviceError(f"{self.name} keeps no clock of its own")


def find_runner(name: str) -> Runner:
    """Return a runner by name.

    Raises:
        UsageError: there is none of that name.
        MissingExtra: its library is not installed.
    """
    runner: Runner = plugins.load(PACKAGE, name, "RUNNER")  # pyright: ignore[reportAssignmentType]
    return runner


def runners_for(path: Path) -> tuple[Runner, ...]:
    """Return the runners that prove files of this suffix and can run here, by name.

    Raises:
        UsageError: no runner reads them.
        DeviceError: none of those that do can run here.
    """
    runners = [find_runner(name) for name in plugins.names(PACKAGE)]
    fitting = [runner for runner in runners if runner.proves and runner.suffix == path.suffix]
    if not fitting:
        suffixes = ", ".join(sorted({runner.suffix for runner in runners if runner.proves}))
        raise UsageError(f"no runner reads {path.name}: expected a file ending in {suffixes}")
    able = tuple(runner for runner in fitting if runner.unavailable() is None)
    if not able:
        reasons = "; ".join(f"{runner.name}: {runner.unavailable()}" for runner in fitting)
        raise DeviceError(f"{path.name} cannot run here: {reasons}")
    return able


def runner_for(path: Path) -> Runner:
    """Return the runner that reads files of this suffix here, the first of several.

    Raises:
        UsageError: no runner reads them.
        DeviceError: none of those that do can run here.
    """
    return runners_for(path)[0]
