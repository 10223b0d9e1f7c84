"""The `adb` program: found, run, and its refusals told in one line that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import DeviceError

SECONDS = 60.0
# What adb says when the phone itself is not there.
GONE = (
    "no devices/emulators found",
    "device offline",
    "not found",
    "device still authorizing",
    "closed",
    "connection reset",
    "protocol fault",
)


@dataclass(frozen=True)
class Done:
    """How a call of adb ended.

    Attributes:
        code: of its exit.
        out: its output.
        trouble: what it said of an error, in one line.
    """

    code: int
    out: str
    trouble: str

    @property
    def gone(self) -> bool:
        """Whether it failed because the phone is not there."""
        text = self.trouble.lower()
        return (
            self.code != 0
            and text.startswith(("error: ", "adb: "))
            and any(word in text for word in GONE)
        )


def executable() -> str | None:
    """Return adb's path: of ``$ANDROID_HOME``, or what is on the path."""
    home = os.environ.get("ANDROID_HOME") or os.environ.get("ANDROID_SDK_ROOT")
    tools = Path(home) / "platform-tools" if home else None
    beside = shutil.which("adb", path=str(tools)) if tools else None
    return beside or shutil.which("adb")


def missing() -> str | None:
    """Return what to do where there is no adb; None where there is one."""
    if executable():
        return None
    return "no adb found: install the package adb or Android's platform-tools, or set ANDROID_HOME"


@dataclass(frozen=True)
class Adb:
    """adb, for one phone or for none.

    Attributes:
        serial: of the phone; None asks the server itself.
    """

    serial: str | None = None

    def run(self, *arguments: str, seconds: float = SECONDS) -> Done:
        """Return how a call ended.

        Raises:
            DeviceError: there is no adb, or it does not come back.
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
        return Done(done.returncode, out, _trouble(err.strip() or out.strip()))

    def shell(self, command: str, seconds: float = SECONDS) -> Done:
        """Return how a shell command on the phone ended."""
        return self.run("shell", command, seconds=seconds)


def _trouble(text: str) -> str:
    """Return the line that tells of an error: adb's own, which its figures of a copy follow."""
    lines = text.splitlines() or [""]
    own = [line for line in lines if line.startswith(("adb: ", "error: "))]
    return (own or lines[-1:])[0].strip()[:300]


def choose(serial: str | None) -> str:
    """Return the serial of the phone to use.

    Args:
        serial: that was typed; None takes ``$ANDROID_SERIAL``, or the only phone that is there.

    Raises:
        DeviceError: there is none, it is not ready, or there are several.
    """
    done = Adb().run("devices")
    if done.code:
        raise DeviceError(f"adb cannot list phones: {done.trouble}; type `adb kill-server`")
    found = dict(line.split("\t", 1) for line in done.out.splitlines() if "\t" in line)
    wanted = serial or os.environ.get("ANDROID_SERIAL")
    if wanted and wanted not in found:
        raise DeviceError(
            f"no phone {wanted} is connected, here {_listed(found)}: type --serial with one of them"
        )
    if not found:
        raise DeviceError(
            "no Android phone is connected: allow USB debugging in its developer options, connect "
            "it by cable, and type `adb devices`"
        )
    if not wanted and len(found) > 1:
        raise DeviceError(
            f"several phones are connected, {_listed(found)}: type --serial {next(iter(found))}"
        )
    chosen = wanted or next(iter(found))
    _check_ready(chosen, found[chosen].strip())
    return chosen


def _check_ready(serial: str, state: str) -> None:
    remedies = {
        "unauthorized": "unlock it and allow this computer to debug it",
        "offline": "connect it again, or type `adb reconnect`",
    }
    if state != "device":
        remedy = remedies.get(state, "bring it to its home screen and connect it again")
        raise DeviceError(f"phone {serial} is {state}: {remedy}")


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{serial} ({state.strip()})" for serial, state in found.items()) or "none"
