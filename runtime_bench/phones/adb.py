"""The `adb` program: calls, their errors in one line, and the choice of a phone."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import DeviceError

SECONDS = 60.0
# Texts of adb's errors when the phone itself is missing.
GONE = (
    "no devices/emulators found",
    "device offline",
    "not found",
    "device still authorizing",
    "closed",
    "connection reset",
    "protocol fault",
    "couldn't read from device",
    "failed to read copy response",
)


@dataclass(frozen=True)
class AdbResult:
    """Result of an adb call.

    Attributes:
        code: exit code.
        out: standard output.
        error_line: error message, in one line.
    """

    code: int
    out: str
    error_line: str

    @property
    def gone(self) -> bool:
        """Whether it failed because the phone is missing."""
        text = self.error_line.lower()
        return (
            self.code != 0
            and text.startswith(("error: ", "adb: "))
            and any(word in text for word in GONE)
        )


def executable() -> str | None:
    """Return the path of adb: from ``$ANDROID_HOME``, or from ``$PATH``."""
    home = os.environ.get("ANDROID_HOME") or os.environ.get("ANDROID_SDK_ROOT")
    tools = Path(home) / "platform-tools" if home else None
    beside = shutil.which("adb", path=str(tools)) if tools else None
    return beside or shutil.which("adb")


def missing() -> str | None:
    """Return how to get adb where it is missing; None where it is installed."""
    if executable():
        return None
    return "no adb found: install the package adb or Android's platform-tools, or set ANDROID_HOME"


@dataclass(frozen=True)
class Adb:
    """adb for one phone, or for its server alone.

    Attributes:
        serial: serial number of the phone; None for the server.
    """

    serial: str | None = None

    def run(self, *arguments: str, seconds: float = SECONDS) -> AdbResult:
        """Return the result of a call.

        Raises:
            DeviceError: there is no adb, or it does not answer in time.
        """
        program = executable()
        if program is None:
            raise DeviceError(f"{missing()}")
        chosen = ("-s", self.serial) if self.serial else ()
        try:
            done = subprocess.run(
                [program, *chosen, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"adb {arguments[0]} did not come back within {seconds:.0f} s: unlock the phone, "
                "connect it again, or type `adb kill-server`"
            ) from error
        except OSError as error:
            raise DeviceError(f"{program} cannot be started: {error.strerror}") from error
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return AdbResult(done.returncode, out, _error_line(err.strip() or out.strip()))

    def shell(self, command: str, seconds: float = SECONDS) -> AdbResult:
        """Return the result of a shell command on the phone."""
        return self.run("shell", command, seconds=seconds)


def _error_line(text: str) -> str:
    """Return the line of an output that states the error; statistics of a copy follow it."""
    lines = text.splitlines() or [""]
    own = [line for line in lines if line.startswith(("adb: ", "error: "))]
    return (own or lines[-1:])[0].strip()[:300]


def choose(serial: str | None) -> str:
    """Return the serial number of the phone to use.

    Args:
        serial: serial number that was typed; None takes ``$ANDROID_SERIAL``, or the only phone.

    Raises:
        DeviceError: there is none, it is not ready, or there are several.
    """
    done = Adb().run("devices")
    if done.code:
        raise DeviceError(f"adb cannot list phones: {done.error_line}; type `adb kill-server`")
    states = dict(line.split("\t", 1) for line in done.out.splitlines() if "\t" in line)
    requested = serial or os.environ.get("ANDROID_SERIAL")
    if requested and requested not in states:
        raise DeviceError(
            f"no phone {requested} is connected, here {_listed(states)}: type --serial with one of "
            "them"
        )
    if not states:
        raise DeviceError(
            "no Android phone is connected: allow USB debugging in its developer options, connect "
            "it by cable, and type `adb devices`"
        )
    if not requested and len(states) > 1:
        raise DeviceError(
            f"several phones are connected, {_listed(states)}: type --serial {next(iter(states))}"
        )
    chosen = requested or next(iter(states))
    _check_ready(chosen, states[chosen].strip())
    return chosen


def _check_ready(serial: str, state: str) -> None:
    remedies = {
        "unauthorized": "unlock it and allow this computer to debug it",
        "offline": "connect it again, or type `adb reconnect`",
    }
    if state != "device":
        remedy = remedies.get(state, "bring it to its home screen and connect it again")
        raise DeviceError(f"phone {serial} is {state}: {remedy}")


def _listed(states: dict[str, str]) -> str:
    return ", ".join(f"{serial} ({state.strip()})" for serial, state in states.items()) or "none"
