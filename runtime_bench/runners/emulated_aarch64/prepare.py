"""Setup of the emulated machine: Debian's arm64 Python, the aarch64 wheels, and the plug-in.

Run as ``python -m styleexport.runtime_bench.runners.emulated_aarch64.prepare`` on Debian 12 with
``gcc`` and ``qemu-user``. Packages come from the sources that apt and pip are configured for,
Debian's by the signed index and wheels by the sha256 in ``requirements.txt``; nothing is installed
into this system.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path

from styleexport.core.errors import DeviceError, StyleExportError
from styleexport.core.files import folder_product, replace_folder
from styleexport.runtime_bench.runners.emulated_aarch64.machine import HERE, folder

DEBIAN = (
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libexpat1",
    "libffi8",
    "libssl3",
    "libbz2-1.0",
    "liblzma5",
)
WHEELS = HERE / "requirements.txt"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
# ONNX Runtime reads /proc/cpuinfo and stops where it does not describe an ARM processor.
PROCESSOR = """processor : 0
BogoMIPS : 50.00
Features : fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc \
dcpop asimddp
CPU implementer : 0x41
CPU architecture: 8
CPU variant : 0x4
CPU part : 0xd0b
CPU revision : 1

"""


PRODUCT = folder_product(
    "an emulated machine",
    dict.fromkeys(("sysroot", "site", "count.so", "ready")),
)


def prepare() -> Path:
    """Make the machine atomically; return its folder.

    Raises:
        DeviceError: a program is missing or a download fails.
    """
    with replace_folder(folder(), PRODUCT) as part:
        _unpack_debian(part)
        _unpack_wheels(part)
        _write_processor(part / "sysroot")
        _run("gcc", "-O2", "-shared", "-fPIC", "-o", part / "count.so", HERE / "count.c")
        (part / "ready").touch()
    return folder()


def _unpack_debian(part: Path) -> None:
    apt, debs, sysroot = part / "apt", part / "debs", part / "sysroot"
    for path in (apt / "state/lists/partial", apt / "cache/archives/partial", debs, sysroot):
        path.mkdir(parents=True)
    (apt / "status").touch()
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
        "APT::Get::AllowUnauthenticated": "false",
        "Acquire::AllowInsecureRepositories": "false",
    }
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    _run("apt-get", *arguments, "update")
    _run("apt-get", *arguments, "download", *DEBIAN, cwd=debs)
    known = set(
        re.findall(
            r"^SHA256: ([0-9a-f]{64})$", _run("apt-cache", *arguments, "show", *DEBIAN), re.M
        )
    )
    for package in sorted(debs.glob("*.deb")):
        _check_package(package, known)
        _run("dpkg", "-x", package, sysroot)
    shutil.rmtree(apt)
    shutil.rmtree(debs)


def _check_package(package: Path, known: Collection[str]) -> None:
    """Check that a package is one of the signed index.

    Raises:
        DeviceError: it was altered.
    """
    with package.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in known:
        raise DeviceError(
            f"{package.name} was altered on the way: no package of the index has its sha256 "
            f"{digest[:12]}…; try again"
        )


def _unpack_wheels(part: Path) -> None:
    wheels = part / "wheels"
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    _run(
        sys.executable,
        "-m",
        "pip",
        "download",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        *platforms,
        "--python-version",
        "3.11",
        "--dest",
        wheels,
        "--requirement",
        WHEELS,
    )
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(part / "site")
    shutil.rmtree(wheels)


def _write_processor(sysroot: Path) -> None:
    (sysroot / "proc").mkdir()
    (sysroot / "proc" / "cpuinfo").write_text(PROCESSOR.replace(" :", "\t:"))
    processors = sysroot / "sys" / "devices" / "system" / "cpu"
    processors.mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (processors / name).write_text("0\n")


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program and return what it printed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DeviceError(f"no {words[0]} found: this needs Debian 12, gcc and pip") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no reason given"]
        raise DeviceError(f"{' '.join(words[:3])} failed: {lines[-1][:300]}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(prepare())  # noqa: T201
    except StyleExportError as error:
        sys.exit(f"error: {error}")
