"""Runner protocols: a `Runner` opens and runs files; a `RemoteRunner` has a device measure them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from styleexport.core import plugins
from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.manifest import FileFact
from styleexport.core.thresholds import allowed_db, allowed_on_device

if TYPE_CHECKING:
    from styleexport.core.types import Progress
    from styleexport.runtime_bench.contract.latency import LatencyReport
    from styleexport.runtime_bench.contract.remote import MeasureRequest

PACKAGE = "styleexport.runtime_bench.runners"


@dataclass(frozen=True)
class RunOptions:
    """Options of one session.

    Attributes:
        threads: number of threads of the runtime; None leaves it to the runtime.
        batch: number of pictures per inference; files hold one, and a runner that cannot widen them
            raises UsageError.
        settings: runner settings, from its ``choices``; a missing one takes its default.
    """

    threads: int | None = None
    batch: int = 1
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Session:
    """A loaded file: inputs by name in, outputs by name out, all float32.

    Images are [N, 3, H, W], RGB in 0..1, N being the batch, whatever the file itself takes: `feed`
    converts to the file's layout, range and element type, and `fetch` converts back. The strength
    is [1], one for all pictures. `invoke` alone is the inference; work that it started is finished
    when it returns.

    Attributes:
        feed: sets the inputs.
        invoke: runs the file on the inputs.
        fetch: returns the outputs of the last run.
        effective: returns the settings as the runtime reports them.
    """

    feed: Callable[[Arrays], None]
    invoke: Callable[[], None]
    fetch: Callable[[], dict[str, NDArray[np.float32]]]
    effective: Callable[[], Mapping[str, str]] = dict[str, str]

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """Return the outputs for some inputs."""
        self.feed(inputs)
        self.invoke()
        return self.fetch()


class _Entry(Protocol):
    """Part shared by both kinds of runner: name, file formats and settings.

    Attributes:
        name: name of the runner, which is that of its module.
        suffixes: suffixes of the files that it reads.
        timed: whether its times mean anything; those of a reference interpreter do not.
        choices: setting → allowed values, the default first.
        texts: settings that take any text, such as the name of a device.
    """

    name: str
    suffixes: tuple[str, ...]
    timed: bool = True
    choices: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    texts: tuple[str, ...] = ()

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return why this machine cannot run it, in one line; None where it can.

        Args:
            settings: requested settings; a missing one takes its default.
        """
        return None

    def reads(self, path: Path) -> bool:
        """Whether it reads files with this suffix."""
        return path.suffix in self.suffixes

    def setting(self, settings: Mapping[str, str], name: str) -> str:
        """Return the requested value of a setting, or its default."""
        return settings.get(name, self.choices[name][0])


class Runner(_Entry, Protocol):
    """A runtime of this process. It never times itself.

    Attributes:
        rounds_pictures: whether 8-bit picture outputs come out rounded.
        proves: whether the parity of artifacts is measured with it.
        proves_tiles: whether that of pictures in tiles is, too.
    """

    rounds_pictures: bool = False
    proves: bool = True
    proves_tiles: bool = True

    def start(self) -> None:
        """Import the runtime, so that loading a file is timed without it.

        Raises:
            MissingExtra: the runtime is not installed.
        """

    def proves_file(self, path: Path) -> bool:
        """Whether the parity of this file, which it reads, is measured with it."""
        return self.proves

    def allowed_db(self, fact: FileFact) -> float:
        """Return the lowest PSNR in dB at which it counts a file as equal to its network."""
        return allowed_on_device(fact) if self.rounds_pictures else allowed_db(fact)

    def in_float32(self) -> Runner | None:
        """Return a variant that keeps every tensor in float32; None where there is none."""
        return None

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors of a file by name, from one run: dequantized, images NCHW.

        Names that the file does not hold are left out; a runtime that exposes no inner tensors
        returns none.
        """
        return {}

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Return a session on the file, closed when the block ends.

        Raises:
            BadArtifact: the runtime cannot load the file.
            DeviceError: it cannot run with these settings here.
            MissingExtra: the runtime is not installed.
            UsageError: it cannot run this batch.
        """
        ...


@runtime_checkable
class RemoteRunner(_Entry, Protocol):
    """A device or program that times itself, such as a phone or a browser: it opens no session.

    Attributes:
        other_machine: whether it measures on a machine other than this one. Such a runner is used
            only where it is named, and has a report of its own.
        uploads_to: service to which it uploads files, once that is allowed; "" for none.
        leasable: whether it measures on a phone that ``--serial`` names and ``--lease`` acquires.
    """

    other_machine: bool = False
    leasable: bool = False
    uploads_to: str = ""

    def measure(self, request: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return the latency report of some cells.

        Every cell of the report states the runner's name and the requested settings; a cell that is
        missing counts as failed.

        Args:
            request: cells to measure, and how.
            progress: receives lines of progress.

        Raises:
            BadArtifact: the artifact is incomplete.
            DeviceError: the device cannot be reached, or did not do its part.
            MissingExtra: a program or library that it needs is not installed.
            UsageError: it runs none of the files, or does not support an option.
        """
        ...


AnyRunner = Runner | RemoteRunner


def any_runner(name: str) -> AnyRunner:
    """Return a runner of either kind by name.

    Raises:
        UsageError: there is no runner of that name.
        MissingExtra: its library is not installed.
    """
    runner: AnyRunner = plugins.load(PACKAGE, name, "RUNNER")  # pyright: ignore[reportAssignmentType]
    return runner


def find_runner(name: str) -> Runner:
    """Return a runner that opens files, by name.

    Raises:
        DeviceError: it measures by itself and opens no files.
        UsageError: there is no runner of that name.
        MissingExtra: its library is not installed.
    """
    runner = any_runner(name)
    if isinstance(runner, RemoteRunner):
        raise DeviceError(
            f"{name} opens no files from here, it measures by itself; type `styleexport bench "
            f"ARTIFACT --runner {name}`"
        )
    return runner


def remote_runner(name: str) -> RemoteRunner | None:
    """Return a runner that times itself, by name; None where it is one that opens files.

    Raises:
        UsageError: there is no runner of that name.
        MissingExtra: its library is not installed.
    """
    runner = any_runner(name)
    return runner if isinstance(runner, RemoteRunner) else None


def on_other_machine(name: str) -> bool:
    """Whether a runner measures on a machine other than this one, in a report of its own.

    Raises:
        UsageError: there is no runner of that name.
        MissingExtra: its library is not installed.
    """
    runner = remote_runner(name)
    return runner is not None and runner.other_machine


def runners_for(path: Path) -> tuple[Runner, ...]:
    """Return the available runners that prove files with this suffix, by name.

    Raises:
        UsageError: no runner reads them.
        DeviceError: none of those that do can run here.
    """
    entries = [any_runner(name) for name in plugins.names(PACKAGE)]
    provers = [r for r in entries if not isinstance(r, RemoteRunner) and r.proves]
    readers = [r for r in provers if r.reads(path) and r.proves_file(path)]
    if not readers:
        suffixes = ", ".join(sorted({suffix for runner in provers for suffix in runner.suffixes}))
        raise UsageError(f"no runner reads {path.name}: expected a file ending in {suffixes}")
    available = tuple(runner for runner in readers if runner.unavailable() is None)
    if not available:
        reasons = "; ".join(f"{runner.name}: {runner.unavailable()}" for runner in readers)
        raise DeviceError(f"{path.name} cannot run here: {reasons}")
    return available


def runner_for(path: Path) -> Runner:
    """Return the first available runner that proves files with this suffix.

    Raises:
        UsageError: no runner reads them.
        DeviceError: none of those that do can run here.
    """
    return runners_for(path)[0]
