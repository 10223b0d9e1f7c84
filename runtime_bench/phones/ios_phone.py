"""iPhone or iPad behind devicectl, and the Documents folder of the harness app."""

from __future__ import annotations

import tempfile
from pathlib import Path

from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.contract.latency import StateFact
from styleexport.runtime_bench.phones.devicectl import Device, DevicectlResult, Result, devicectl
from styleexport.runtime_bench.phones.phone import (
    APP,
    REPORTS,
    Conditions,
    DeviceUnreachable,
    JobStatus,
)

ROOT = "Documents"
COPY_SECONDS = 600.0
INSTALL = "build ios_harness in Xcode and run it on the phone once"


class IosPhone:
    """A device that is connected and ready.

    Args:
        serial: identifier, UDID or name; None takes the only one that is connected.

    Raises:
        DeviceError: there is none, it is not ready, or has no harness app.
    """

    harness = "ios"

    def __init__(self, serial: str | None = None) -> None:
        device = choose(serial)
        self.identifier = device.identifier
        self.name = device.label
        self._process: int | None = None
        apps = self._ask("it does not list its apps", "info", "apps", "--bundle-id", APP).apps
        if APP not in {app.bundle_identifier for app in apps}:
            raise DeviceError(f"{self.name} has no {APP}: {INSTALL}")

    def state(self) -> StateFact:
        """Return an empty state: devicectl reports none, the app's report does."""
        return StateFact()

    def conditions(self) -> Conditions:
        """Return nothing: the app alone knows its build and the phone's state."""
        return Conditions(self.state())

    def read(self, path: str) -> bytes | None:
        """Return the contents of a file; see `Phone.read`."""
        with tempfile.TemporaryDirectory(prefix="styleexport-phone-") as folder:
            target = Path(folder) / "copied"
            done = self._copy("from", f"{ROOT}/{path}", str(target))
            if done.result is not None and target.is_file():
                return target.read_bytes()
        if done.result is not None or done.no_file:
            return None
        raise DeviceError(f"{self.name}: {path} cannot be fetched: {done.error_line}; unlock it")

    def put(self, source: Path, path: str) -> None:
        """Copy a file or package to the phone; see `Phone.put`."""
        whole = ("--remove-existing-content", "true") if source.is_dir() else ()
        done = self._copy("to", str(source), f"{ROOT}/{path}", *whole)
        if done.result is not None:
            return
        if "space" in done.error_line.lower():
            raise DeviceError(
                f"{self.name} is full: {path} was not sent; free some space on it, or measure "
                "fewer files with --size, --role or --precision"
            )
        raise DeviceError(f"{self.name}: {path} cannot be sent: {done.error_line}; unlock it")

    def remove(self, *paths: str) -> None:
        """Do nothing: devicectl cannot delete; jobs and reports of a few kilobytes remain."""

    def start(self, job: str, artifact: str) -> None:
        """Start the app with a job; see `Phone.start`."""
        tail = (APP, "--bench-job", f"{ROOT}/{job}", "--artifact", f"{ROOT}/{artifact}")
        result = self._ask(
            "the app cannot be started", "process", "launch", "--terminate-existing", tail=tail
        )
        self._process = result.process.process_identifier if result.process else None

    def stop(self) -> None:
        """Stop the app; see `Phone.stop`."""
        if self._process is not None:
            pid = ("--pid", str(self._process))
            devicectl("device", "process", "terminate", "--device", self.identifier, *pid)

    def job_status(self, nonce: str) -> JobStatus:
        """Return the state of a job; see `Phone.job_status`."""
        files: dict[str, str] = {}
        for end in (".json", ".error", ".progress"):
            raw = self._poll(f"{REPORTS}/{nonce}{end}")
            if raw is not None:
                files[end] = raw.decode(errors="replace")
                if end != ".progress":
                    break
        return JobStatus(
            done=".json" in files,
            error=files.get(".error"),
            progress=files.get(".progress", ""),
            alive=self._alive(),
        )

    def _poll(self, path: str) -> bytes | None:
        try:
            return self.read(path)
        except DeviceError as error:
            raise DeviceUnreachable(str(error)[:200]) from error

    def _alive(self) -> bool | None:
        """Whether the app's process is running; None where its number is unknown."""
        if self._process is None:
            return None
        done = devicectl("device", "info", "processes", "--device", self.identifier)
        if done.result is None:
            raise DeviceUnreachable(done.error_line)
        running = {process.process_identifier for process in done.result.running_processes}
        return self._process in running

    def _copy(self, direction: str, source: str, destination: str, *more: str) -> DevicectlResult:
        return devicectl(
            "device",
            "copy",
            direction,
            "--device",
            self.identifier,
            "--domain-type",
            "appDataContainer",
            "--domain-identifier",
            APP,
            "--source",
            source,
            "--destination",
            destination,
            *more,
            seconds=COPY_SECONDS,
        )

    def _ask(self, what: str, *arguments: str, tail: tuple[str, ...] = ()) -> Result:
        """Return the result of a call.

        Raises:
            DeviceError: it failed.
        """
        group, command, *options = arguments
        done = devicectl("device", group, command, "--device", self.identifier, *options, tail=tail)
        if done.result is None:
            raise DeviceError(
                f"{self.name}: {what}: {done.error_line}; unlock it and keep it awake"
            )
        return done.result


def choose(serial: str | None) -> Device:
    """Return the device to use.

    Args:
        serial: identifier, UDID or name; None takes the only one that is connected.

    Raises:
        DeviceError: there is none, it is not ready, or there are several.
    """
    done = devicectl("list", "devices")
    if done.result is None:
        raise DeviceError(f"devicectl cannot list devices: {done.error_line}; open Xcode once")
    phones = [d for d in done.result.devices if d.hardware_properties.platform in ("iOS", "iPadOS")]
    named = [device for device in phones if serial in _names(device)] if serial else phones
    if serial and not named:
        here = ", ".join(device.label for device in phones) or "none"
        raise DeviceError(
            f"no iPhone {serial} is connected, here {here}: type --serial with one of them"
        )
    if not named:
        raise DeviceError(
            "no iPhone is connected: connect it by cable, trust this Mac on it, switch Developer "
            "Mode on in its settings, and type `xcrun devicectl list devices`"
        )
    ready = [device for device in named if _not_ready(device) is None]
    if len(ready) > 1:
        here = ", ".join(device.label for device in ready)
        raise DeviceError(
            f"several iPhones are connected, {here}: type --serial {ready[0].identifier}"
        )
    if not ready:
        raise DeviceError(f"{named[0].label} {_not_ready(named[0])}")
    return ready[0]


def _names(device: Device) -> tuple[str, ...]:
    names = (device.identifier, device.hardware_properties.udid, device.device_properties.name)
    return tuple(name for name in names if name)


def _not_ready(device: Device) -> str | None:
    """Return why a device cannot be used, and what to do; None where it can."""
    connection = device.connection_properties
    if connection.pairing_state != "paired":
        return "is not paired with this Mac: unlock it and trust the Mac"
    if connection.tunnel_state == "unavailable":
        return "is not connected: connect it by cable and unlock it"
    if device.device_properties.developer_mode_status == "disabled":
        return "has Developer Mode off: switch it on in Settings, Privacy & Security"
    return None
