"""Part of the client of Qualcomm AI Hub that is used here, and its errors in one line.

The client reads its own configuration, ``~/.qai_hub/client.ini``: no token passes through this
package.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import DeviceError, StyleExportError, first_line
from styleexport.core.plugins import needs

Dataset = Mapping[str, Sequence[NDArray[np.generic]]]
CONFIGURE = "type `qai-hub configure --api_token TOKEN` once, with the token of your account"


class HubDevice(Protocol):
    """A device: its name, version of its system, and attributes such as ``chipset:…``."""

    name: str
    os: str
    attributes: str | list[str]


class HubStatus(Protocol):
    """State of a job that has ended."""

    success: bool
    message: str | None


class HubJob(Protocol):
    """A job on a device."""

    job_id: str

    def wait(self) -> HubStatus:
        """Return the state of the job when it has ended."""
        ...

    def download_output_data(self) -> Dataset | None:
        """Return the outputs by name, one array for each input; None where it has none."""
        ...

    def download_profile(self) -> Mapping[str, Any]:
        """Return the profile: ``execution_summary`` and ``execution_detail``, times in µs."""
        ...


class HubClient(Protocol):
    """The client; its methods are those of ``qai_hub.Client``."""

    def get_devices(self, name: str = "") -> Sequence[HubDevice]:
        """Return the devices of a name, or all."""
        ...

    def upload_model(self, model: str, name: str | None = None) -> object:
        """Upload a file, and return its handle."""
        ...

    def submit_inference_job(
        self,
        model: object,
        device: HubDevice,
        inputs: Dataset | None = None,
        name: str | None = None,
        options: str = "",
        *,
        profile: bool = True,
    ) -> HubJob:
        """Submit a job: outputs of some inputs, and with ``profile`` the times of the device."""
        ...


def missing() -> str | None:
    """Return how to get the client where it is missing; None where it is installed."""
    try:
        _module()
    except StyleExportError as error:
        return str(error)
    return None


def connect() -> HubClient:
    """Return a client with the configuration that the user has given it.

    Raises:
        DeviceError: it has none.
        MissingExtra: it is not installed.
    """
    with hub_errors("the client cannot be used", CONFIGURE):
        return _module().Client()


@contextlib.contextmanager
def hub_errors(what: str, remedy: str) -> Generator[None]:
    """Turn what the client raises into a DeviceError, and keep what it prints off stdout.

    Raises:
        DeviceError: the client failed.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except StyleExportError:
        raise
    except Exception as error:  # its own errors, and those of the network
        raise DeviceError(f"AI Hub: {what}: {first_line(error)[:200]}; {remedy}") from error


def find_device(client: HubClient, name: str) -> HubDevice:
    """Return the device of a name with its newest system.

    Raises:
        DeviceError: there is none, or the service cannot be reached.
    """
    with hub_errors("devices cannot be listed", CONFIGURE):
        matching = list(client.get_devices(name))
        others = [] if matching else sorted({device.name for device in client.get_devices()})
    if matching:
        return matching[-1]
    close = [other for other in others if name.split()[0].lower() in other.lower()] or others
    raise DeviceError(
        f"AI Hub has no device {name!r}, but for example {', '.join(close[:5]) or 'none'}: type "
        "`qai-hub list-devices` and name one exactly, as --runner aihub:device=NAME"
    )


def _module() -> Any:  # noqa: ANN401 - an optional library without stubs
    with needs("AI Hub"):
        return importlib.import_module("qai_hub")
