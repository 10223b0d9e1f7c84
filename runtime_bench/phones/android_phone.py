"""Android phone behind adb, and the folder that the harness app shares with the host."""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.contract.latency import StateFact, ThermalFact
from styleexport.runtime_bench.phones.adb import SECONDS, Adb, AdbResult, choose
from styleexport.runtime_bench.phones.phone import (
    APP,
    REPORTS,
    Conditions,
    DeviceUnreachable,
    JobStatus,
)

ROOT = f"/sdcard/Android/data/{APP}/files"
LEAST_API = 24
PUSH_SECONDS = 600.0
INSTALL = (
    "build the release variant of android_harness and run it once, or type `adb install "
    "app-release.apk`"
)
# Values of system properties that emulators have: Google's, and x86 images of others.
EMULATED = {
    "ro.kernel.qemu": ("1",),
    "ro.boot.qemu": ("1",),
    "ro.hardware": ("goldfish", "ranchu", "cutf_cvm", "vbox86"),
    "ro.product.board": ("goldfish_x86", "goldfish_x86_64", "goldfish_arm64"),
}


@dataclass(frozen=True)
class Patience:
    """How long a connection that was lost is waited for, as those of hosted phones come back.

    Attributes:
        seconds: time after which the phone counts as gone.
        pause: seconds between two attempts.
    """

    seconds: float = 20.0
    pause: float = 1.0

    def persist(self, call: Callable[[], AdbResult]) -> AdbResult:
        """Return the result of a call that may be repeated; that of the last attempt."""
        begin = time.monotonic()
        done = call()
        while done.gone and time.monotonic() - begin < self.seconds:
            time.sleep(self.pause)
            done = call()
        return done


class AndroidPhone:
    """A phone that is connected and ready.

    Args:
        serial: serial number; None takes the only phone that is connected.

    Raises:
        DeviceError: there is none, it is not ready, too old, or has no harness app.
    """

    harness = "android"

    def __init__(self, serial: str | None = None) -> None:
        self.adb = Adb(choose(serial))
        self._patience = Patience()
        self.properties = properties_from(self.shell("getprop").out)
        model = self.properties.get("ro.product.model", "Android phone")
        self.name = f"{model} ({self.adb.serial})"
        api = self.properties.get("ro.build.version.sdk", "")
        if api.isdecimal() and int(api) < LEAST_API:
            raise DeviceError(
                f"{self.name} has API level {api}, the app needs {LEAST_API} or newer"
            )

    def check_app(self) -> None:
        """Check that the harness app is installed.

        Raises:
            DeviceError: it is not installed.
        """
        if "package:" not in self.shell(f"pm path {APP}").out:
            raise DeviceError(f"{self.name} has no {APP}: {INSTALL}")

    def state(self) -> StateFact:
        """Return thermal status and battery; see `Phone.state`."""
        return state_from(self.shell("dumpsys thermalservice; dumpsys battery").out)

    def conditions(self) -> Conditions:
        """Return the state, and what the app and the device are; see `Phone.conditions`."""
        package = self.shell(f"dumpsys package {APP}").out
        return Conditions(self.state(), is_debuggable(package), is_emulator(self.properties))

    def read(self, path: str) -> bytes | None:
        """Return the contents of a file; see `Phone.read`."""
        with tempfile.TemporaryDirectory(prefix="styleexport-phone-") as folder:
            target = Path(folder) / "pulled"
            pull = ("pull", f"{ROOT}/{path}", str(target))
            done = self._patience.persist(lambda: self.adb.run(*pull, seconds=PUSH_SECONDS))
            if done.code == 0:
                return target.read_bytes()
        if "does not exist" in done.error_line or "No such file" in done.error_line:
            return None
        raise self._error(f"{path} cannot be fetched", done)

    def put(self, source: Path, path: str) -> None:
        """Copy a file to the phone; see `Phone.put`."""
        self.push(source, f"{ROOT}/{path}")

    def push(self, source: Path, path: str) -> None:
        """Copy a file to an absolute path of the phone.

        Raises:
            DeviceError: the phone is full or gone.
        """
        push = ("push", str(source), path)
        done = self._patience.persist(lambda: self.adb.run(*push, seconds=PUSH_SECONDS))
        if done.code == 0:
            return
        if "No space left" in done.error_line:
            raise DeviceError(
                f"{self.name} is full: {path.removeprefix(f'{ROOT}/')} was not sent; free some "
                "space on it, or measure fewer files with --size, --role or --precision"
            )
        raise self._error(f"{path} cannot be sent", done)

    def remove(self, *paths: str) -> None:
        """Remove files and folders; see `Phone.remove`."""
        if paths:
            named = " ".join(shlex.quote(f"{ROOT}/{path}") for path in paths)
            # Without patience: it also cleans up when the phone is gone.
            self._present(self.adb.shell(f"rm -rf {named}"))

    def start(self, job: str, artifact: str) -> None:
        """Start the activity that measures; see `Phone.start`."""
        # Android stops an app at once while the screen is off.
        self.adb.shell("input keyevent KEYCODE_WAKEUP")
        done = self.shell(
            f"am start -W -n {APP}/.BenchActivity --es job {shlex.quote(job)} "
            f"--es artifact {shlex.quote(artifact)}"
        )
        if "Status: ok" in done.out:
            return
        if "does not exist" in done.out + done.error_line:
            raise DeviceError(f"{self.name} has no {APP} that measures: {INSTALL}")
        raise self._error("the app cannot be started", done)

    def stop(self) -> None:
        """Stop the app; see `Phone.stop`."""
        self.adb.shell(f"am force-stop {APP}")

    def job_status(self, nonce: str) -> JobStatus:
        """Return the state of a job; see `Phone.job_status`."""
        base = f"{ROOT}/{REPORTS}/{nonce}"
        done = self.adb.shell(
            f"[ -e {base}.json ] && echo done; [ -e {base}.error ] && "
            f'echo "error $(cat {base}.error)"; echo "said $(cat {base}.progress 2>/dev/null)"; '
            f"pidof {APP} >/dev/null && echo alive; echo end"
        )
        lines = done.out.splitlines()
        if "end" not in lines:
            raise DeviceUnreachable(done.error_line or "adb gave no answer")
        fields = {word: rest for word, _, rest in (line.partition(" ") for line in lines)}
        return JobStatus(
            done="done" in fields,
            error=fields.get("error"),
            progress=fields.get("said", ""),
            alive="alive" in fields,
        )

    def shell(self, command: str, seconds: float = SECONDS) -> AdbResult:
        """Return the result of a shell command, repeated where the connection was lost.

        Raises:
            DeviceError: the phone is gone.
        """
        return self._present(self._patience.persist(lambda: self.adb.shell(command, seconds)))

    def _present(self, done: AdbResult) -> AdbResult:
        if done.gone:
            raise self._error("it does not answer", done)
        return done

    def _error(self, what: str, done: AdbResult) -> DeviceError:
        name = getattr(self, "name", self.adb.serial)
        if done.gone:
            return DeviceError(
                f"{name} is not connected any more ({done.error_line}): connect it again "
                "(a hosted phone: begin a new session), unlock it, and measure again"
            )
        return DeviceError(f"{name}: {what}: {done.error_line}; type `adb devices`")


def properties_from(text: str) -> dict[str, str]:
    """Parse the output of ``getprop``, lines of ``[name]: [value]``."""
    return dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]\r?$", text, re.MULTILINE))


def is_debuggable(text: str) -> bool | None:
    """Parse the output of ``dumpsys package``; None where it lists no flags."""
    flags = re.findall(r"^\s*(?:pkgF|f)lags=\[(.*)\]", text, re.MULTILINE)
    return "DEBUGGABLE" in " ".join(flags).split() if flags else None


def is_emulator(properties: Mapping[str, str]) -> bool:
    """Whether system properties are those of an emulator."""
    return any(properties.get(name) in values for name, values in EMULATED.items())


def state_from(text: str) -> StateFact:
    """Parse the output of ``dumpsys thermalservice; dumpsys battery``."""
    status = re.search(r"Thermal Status:\s*(\d+)", text)
    level = re.search(r"^\s*level:\s*(\d+)", text, re.MULTILINE)
    powered = re.findall(r"^\s*\w+ powered:\s*(true|false)", text, re.MULTILINE)
    tenths = re.search(r"^\s*temperature:\s*(-?\d+)", text, re.MULTILINE)
    return StateFact(
        thermal=ThermalFact(scale="android", value=float(status[1])) if status else None,
        temperatures_celsius={"battery": int(tenths[1]) / 10} if tenths else {},
        battery_percent=float(level[1]) if level else None,
        charging="true" in powered if powered else None,
    )
