"""Apple's `devicectl`, run through `xcrun`; answers are read from its JSON output."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct, field

from styleexport.core.errors import DeviceError

SECONDS = 60.0


class Connection(Struct, frozen=True, rename="camel"):
    """Connection of a device."""

    pairing_state: str = ""
    tunnel_state: str = ""


class Properties(Struct, frozen=True, rename="camel"):
    """Properties that a device reports."""

    name: str = ""
    os_version_number: str = ""
    developer_mode_status: str = ""


class Hardware(Struct, frozen=True, rename="camel"):
    """Hardware of a device."""

    product_type: str = ""
    marketing_name: str = ""
    platform: str = ""
    udid: str = ""


class Device(Struct, frozen=True, rename="camel"):
    """An entry of ``list devices``, with the fields that are used here."""

    identifier: str
    connection_properties: Connection = field(default_factory=Connection)
    device_properties: Properties = field(default_factory=Properties)
    hardware_properties: Hardware = field(default_factory=Hardware)

    @property
    def label(self) -> str:
        """Its model and identifier."""
        hardware = self.hardware_properties
        return f"{hardware.marketing_name or hardware.product_type} ({self.identifier})"


class Process(Struct, frozen=True, rename="camel"):
    """A process on the device."""

    process_identifier: int


class App(Struct, frozen=True, rename="camel"):
    """An installed app."""

    bundle_identifier: str = ""


class Result(Struct, frozen=True, rename="camel"):
    """Result of a call; each command fills its own fields."""

    devices: tuple[Device, ...] = ()
    apps: tuple[App, ...] = ()
    process: Process | None = None
    running_processes: tuple[Process, ...] = ()


class _Info(Struct, frozen=True):
    outcome: str = ""


class _Answer(Struct, frozen=True):
    info: _Info = field(default_factory=_Info)
    result: Result = field(default_factory=Result)
    error: msgspec.Raw = msgspec.Raw(b"")


@dataclass(frozen=True)
class DevicectlResult:
    """Result of a devicectl call, or its error.

    Attributes:
        result: the result; None where the call failed.
        error_line: error message, in one line.
    """

    result: Result | None
    error_line: str = ""

    @property
    def no_file(self) -> bool:
        """Whether it failed because a file is missing on the device."""
        words = ("no such file", "doesn't exist", "doesn’t exist", "does not exist")
        return self.result is None and any(word in self.error_line.lower() for word in words)


def missing() -> str | None:
    """Return how to get xcrun where it is missing; None where it is installed."""
    if shutil.which("xcrun"):
        return None
    return "no xcrun found: iPhones are measured from a Mac with Xcode 15 or newer"


def devicectl(
    *arguments: str, tail: tuple[str, ...] = (), seconds: float = SECONDS
) -> DevicectlResult:
    """Return the result of a call.

    Args:
        arguments: arguments of devicectl.
        tail: arguments that must follow all options.
        seconds: time limit.

    Raises:
        DeviceError: there is no xcrun, it does not answer in time, or writes no JSON.
    """
    with tempfile.TemporaryDirectory(prefix="styleexport-devicectl-") as folder:
        output = Path(folder) / "answer.json"
        command = ["xcrun", "devicectl", *arguments, "--json-output", str(output), *tail]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError as error:
            raise DeviceError(f"{missing()}") from error
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"devicectl {' '.join(arguments[:3])} did not come back within {seconds:.0f} s: "
                "unlock the phone and connect it again"
            ) from error
        return _done(output, done.returncode)


def _done(output: Path, code: int) -> DevicectlResult:
    try:
        answer = msgspec.json.decode(output.read_bytes(), type=_Answer)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeviceError(
            f"devicectl ended with code {code} and wrote no JSON that can be read: {error}; type "
            "`xcrun devicectl list devices`"
        ) from error
    if answer.info.outcome == "success":
        return DevicectlResult(answer.result)
    return DevicectlResult(None, _reason(answer.error))


def _reason(error: msgspec.Raw) -> str:
    """Return the sentences of an error and of its nested errors."""
    sentences: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
                if name == "string" and isinstance(inner, str):
                    sentences.append(inner)
                else:
                    collect(inner)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list):
            for inner in value:  # pyright: ignore[reportUnknownVariableType]
                collect(inner)  # pyright: ignore[reportUnknownArgumentType]

    collect(msgspec.json.decode(error) if bytes(error) else {})
    return " ".join(" ".join(dict.fromkeys(sentences)).split())[:300] or "it does not say why"
