"""A phone as the host sees it: a few folders, an app that can be started, and a state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from styleexport.runtime_bench.contract.latency import StateFact

APP = "org.styleexport.harness"
# File formats that each app runs.
ANDROID_SUFFIXES = (".tflite", ".onnx")
IOS_SUFFIXES = (".mlpackage",)
# Below the folder that the app shares with the host.
ARTIFACTS, JOBS, REPORTS = "artifacts", "jobs", "reports"


class DeviceUnreachable(Exception):
    """The phone does not answer now; it may come back."""


@dataclass(frozen=True)
class JobStatus:
    """What a phone shows of a job while it runs.

    Attributes:
        done: whether its report is there.
        error: why the app could not begin; None where it did not say so.
        progress: what it last said.
        alive: whether the app runs; None where that is not known.
    """

    done: bool = False
    error: str | None = None
    progress: str = ""
    alive: bool | None = None


class Phone(Protocol):
    """What the host does with a phone; paths are below the folder that the app shares.

    Each method raises `DeviceError` where the phone refuses or is gone; only `sign` raises
    `DeviceUnreachable`.

    Attributes:
        name: model and serial, for messages.
        harness: as the phone's reports name it.
    """

    name: str
    harness: str

    def state(self) -> StateFact:
        """Return what the phone tells the host of itself."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return a file; None where there is none."""
        ...

    def put(self, source: Path, path: str) -> None:
        """Put a file, or a folder in place of the one that is there."""
        ...

    def remove(self, *paths: str) -> None:
        """Remove files and folders that may be there."""
        ...

    def start(self, job: str, artifact: str) -> None:
        """Start the app on a job."""
        ...

    def stop(self) -> None:
        """Stop the app."""
        ...

    def sign(self, nonce: str) -> JobStatus:
        """Return what is there of a job.

        Raises:
            DeviceUnreachable: the phone does not answer.
        """
        ...
