"""An Android phone behind adb, and the folder that the harness app shares with it."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.contract.latency import StateFact, ThermalFact
from styleexport.runtime_bench.phones.adb import SECONDS, Adb, Done, choose
from styleexport.runtime_bench.phones.phone import APP, REPORTS, DeviceUnreachable, JobStatus

ROOT = f"/sdcard/Android/data/{APP}/files"
LEAST_API = 24
PUSH_SECONDS = 600.0
INSTALL = (
    "build android_harness with Android Studio and run it once, or type `adb install app-debug.apk`"
)


class AndroidPhone:
    """A phone that is connected and ready.

    Args:
        serial: None takes the only one that is there.

    Raises:
        DeviceError: there is none, it is not ready, too old, or has no harness app.
    """

    harness = "android"

    def __init__(self, serial: str | None = None) -> None:
        self.adb = Adb(choose(serial))
        self.properties = properties_from(self.ask("getprop").out)
        model = self.properties.get("ro.product.model", "Android phone")
        self.name = f"{model} ({self.adb.serial})"
        api = self.properties.get("ro.build.version.sdk", "")
        if api.isdecimal() and int(api) < LEAST_API:
            raise DeviceError(
                f"{self.name} has API level {api}, the app needs {LEAST_API} or newer"
            )

    def check_app(self) -> None:
        """Refuse a phone without the harness app.

        Raises:
            DeviceError: it is not installed.
        """
        if "package:" not in self.adb.shell(f"pm path {APP}").out:
            raise DeviceError(f"{self.name} has no {APP}: {INSTALL}")

    def state(self) -> StateFact:
        """Return heat and battery; see `Phone.state`."""
        return state_from(self.ask("dumpsys thermalservice; dumpsys battery").out)

    def read(self, path: str) -> bytes | None:
        """Return a file; see `Phone.read`."""
        with tempfile.TemporaryDirectory(prefix="styleexport-phone-") as folder:
            target = Path(folder) / "pulled"
            done = self.adb.run("pull", f"{ROOT}/{path}", str(target), seconds=PUSH_SECONDS)
            if done.code == 0:
                return target.read_bytes()
        if "does not exist" in done.trouble or "No such file" in done.trouble:
            return None
        raise self._trouble(f"{path} cannot be fetched", done)

    def put(self, source: Path, path: str) -> None:
        """Put a file; see `Phone.put`."""
        self.push(source, f"{ROOT}/{path}")

    def push(self, source: Path, path: str) -> None:
        """Put a file anywhere on the phone.

        Raises:
            DeviceError: the phone is full or gone.
        """
        done = self.adb.run("push", str(source), path, seconds=PUSH_SECONDS)
        if done.code == 0:
            return
        if "No space left" in done.trouble:
            raise DeviceError(
                f"{self.name} is full: {path.removeprefix(f'{ROOT}/')} was not sent; free some "
                "space on it, or measure fewer files with --size, --role or --precision"
            )
        raise self._trouble(f"{path} cannot be sent", done)

    def remove(self, *paths: str) -> None:
        """Remove files and folders; see `Phone.remove`."""
        if paths:
            named = " ".join(shlex.quote(f"{ROOT}/{path}") for path in paths)
            self.ask(f"rm -rf {named}")

    def start(self, job: str, artifact: str) -> None:
        """Start the activity that measures; see `Phone.start`."""
        # An app on a dark screen is stopped at once.
        self.adb.shell("input keyevent KEYCODE_WAKEUP")
        done = self.ask(
            f"am start -W -n {APP}/.BenchActivity --es job {shlex.quote(job)} "
            f"--es artifact {shlex.quote(artifact)}"
        )
        if "Status: ok" in done.out:
            return
        if "does not exist" in done.out + done.trouble:
            raise DeviceError(f"{self.name} has no {APP} that measures: {INSTALL}")
        raise self._trouble("the app cannot be started", done)

    def stop(self) -> None:
        """Stop the app; see `Phone.stop`."""
        self.adb.shell(f"am force-stop {APP}")

    def sign(self, nonce: str) -> JobStatus:
        """Return what is there of a job; see `Phone.sign`."""
        base = f"{ROOT}/{REPORTS}/{nonce}"
        done = self.adb.shell(
            f"[ -e {base}.json ] && echo done; [ -e {base}.error ] && "
            f'echo "error $(cat {base}.error)"; echo "said $(cat {base}.progress 2>/dev/null)"; '
            f"pidof {APP} >/dev/null && echo alive; echo end"
        )
        lines = done.out.splitlines()
        if "end" not in lines:
            raise DeviceUnreachable(done.trouble or "adb gave no answer")
        told = {word: rest for word, _, rest in (line.partition(" ") for line in lines)}
        return JobStatus("done" in told, told.get("error"), told.get("said", ""), "alive" in told)

    def ask(self, command: str, seconds: float = SECONDS) -> Done:
        """Return how a shell command ended.

        Raises:
            DeviceError: the phone is gone.
        """
        done = self.adb.shell(command, seconds)
        if done.gone:
            raise self._trouble("it does not answer", done)
        return done

    def _trouble(self, what: str, done: Done) -> DeviceError:
        name = getattr(self, "name", self.adb.serial)
        if done.gone:
            return DeviceError(
                f"{name} is not connected any more ({done.trouble}): connect it again, unlock it, "
                "and measure again"
            )
        return DeviceError(f"{name}: {what}: {done.trouble}; type `adb devices`")


def properties_from(text: str) -> dict[str, str]:
    """Return name → value of what ``getprop`` prints, ``[name]: [value]`` a line."""
    return dict(re.findall(r"^\[([^\]]+)\]: \[(.*)\]\r?$", text, re.MULTILINE))


def state_from(text: str) -> StateFact:
    """Return heat and battery from what ``dumpsys thermalservice`` and ``battery`` print."""
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
