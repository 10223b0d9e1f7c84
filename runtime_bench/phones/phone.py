"""Phone protocol of the host: shared folders, an app to start, and a device state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from styleexport.runtime_bench.contract.latency import StateFact

APP = "org.styleexport.harness"
# File formats that each app runs.
ANDROID_SUFFIXES = (".tflite", ".onnx")
IOS_SUFFIXES = (".mlpackage", ".aimodel")
# Below the folder that the app shares with the host.
ARTIFACTS, JOBS, REPORTS = "artifacts", "jobs", "reports"


class DeviceUnreachable(Exception):
    """The phone does not answer now; it may be back later."""


@dataclass(frozen=True)
class JobStatus:
    """State of a job on a phone.

    Attributes:
        done: whether its report has been written.
        error: why the app could not start the job; None where it reported no error.
        progress: last progress line of the app.
        alive: whether the app is running; None where that is unknown.
    """

    done: bool = False
    error: str | None = None
    progress: str = ""
    alive: bool | None = None


@dataclass(frozen=True)
class Conditions:
    """Measuring conditions of a phone, as far as the host can read them.

    Attributes:
        state: thermal state and battery.
        debuggable: whether the app is built for debugging; None where that is unknown.
        emulator: whether the phone is an emulator; None where that is unknown.
    """

    state: StateFact
    debuggable: bool | None = None
    emulator: bool | None = None


class Phone(Protocol):
    """Operations of the host on a phone; paths are below the folder that the app shares.

    Each method raises `DeviceError` where the phone refuses or is gone; only `job_status` raises
    `DeviceUnreachable`.

    Attributes:
        name: model and serial number, for messages.
        harness: name of the harness in the phone's reports.
    """

    name: str
    harness: str

    def state(self) -> StateFact:
        """Return the device state, as far as the host can read it."""
        ...

    def conditions(self) -> Conditions:
        """Return the state, and what the app and the device are."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the contents of a file; None where there is none."""
        ...

    def put(self, source: Path, path: str) -> None:
        """Copy a file or folder to the phone, replacing an existing one."""
        ...

    def remove(self, *paths: str) -> None:
        """Remove files and folders, if they exist."""
        ...

    def start(self, job: str, artifact: str) -> None:
        """Start the app with a job."""
        ...

    def stop(self) -> None:
        """Stop the app."""
        ...

    def job_status(self, nonce: str) -> JobStatus:
        """Return the state of a job.

        Raises:
            DeviceUnreachable: the phone does not answer.
        """
        ...
