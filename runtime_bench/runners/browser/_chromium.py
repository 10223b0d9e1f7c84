"""Headless Chromium: opens a page in a temporary profile."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

from styleexport.core.errors import DeviceError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "STYLEEXPORT_CHROMIUM"
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Background pages are throttled, and a headless one counts as such.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
WEBGPU = ("--enable-unsafe-webgpu", "--enable-features=Vulkan")
# Without a graphics card: correct but slow; the report names it.
SOFTWARE_WEBGPU = "--use-webgpu-adapter=swiftshader"


def executable() -> str | None:
    """Return the path of Chromium or Chrome: ``$STYLEEXPORT_CHROMIUM``, or from ``$PATH``."""
    named = os.environ.get(VARIABLE)
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str | None:
    """Return how to get Chromium where it is missing; None where it is installed."""
    if executable():
        return None
    return f"no Chromium found: install the package chromium, or set {VARIABLE} to its path"


@contextlib.contextmanager
def chromium(url: str, *, webgpu: bool = False) -> Generator[subprocess.Popen[bytes]]:
    """Yield Chromium on a page; it and all its processes end with the block.

    Args:
        url: address of the page.
        webgpu: whether the page may use WebGPU, in software where there is no graphics card.

    Raises:
        DeviceError: there is no Chromium, or it cannot be started.
    """
    program = executable()
    if program is None:
        raise DeviceError(f"a browser cannot be opened: {missing()}")
    with tempfile.TemporaryDirectory(
        prefix="styleexport-chromium-", ignore_cleanup_errors=True
    ) as profile:
        try:
            process = subprocess.Popen(
                _command(program, url, Path(profile), webgpu=webgpu),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A process group of its own, so that its children can be killed with it.
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"{program} cannot be started: {error.strerror}") from error
        try:
            yield process
        finally:
            _end(process)


def _command(program: str, url: str, profile: Path, *, webgpu: bool) -> list[str]:
    flags = [flag for flag in FLAGS if not (webgpu and flag == "--disable-gpu")]
    if webgpu:
        flags += [*WEBGPU, *(() if _has_gpu() else (SOFTWARE_WEBGPU,))]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root.
        flags.append("--no-sandbox")
    return [program, *flags, f"--user-data-dir={profile}", url]


def _has_gpu() -> bool:
    return platform.system() != "Linux" or any(Path("/dev/dri").glob("renderD*"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill Chromium and its children, some of which outlive their parent."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
