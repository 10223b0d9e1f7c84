"""Build, tests and layout of the Swift package, where there is a Swift compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tools.ios_check.debian_swift import FOLDER
from tools.ios_check.outcome import Outcome
from tools.ios_check.sources import HARNESS, ROOT, package_digest

TEST = "swift test"
FORMAT = "swift format"
NO_COMPILER = (
    "no Swift compiler: nothing was compiled. On a Mac install Xcode 16; on Debian 13 type "
    "apt-get install swiftlang; as root on an older one, make swift"
)
SECONDS = 1200
# Beside a build: digest of the sources that it was made from.
STAMP = "sources.sha256"
# Folder with a report of each language, which the tests of every language read.
EXCHANGE = "STYLEEXPORT_CONTRACT_EXCHANGE"
EXCHANGE_FOLDER = ROOT / "build" / "contract-exchange"


def swift() -> str | None:
    """Return the Swift compiler: `$SWIFT`, the one on the path, or Debian's; None if there is none.

    OpenStack's client is called swift too; the output of --version tells the two apart.
    """
    override = os.environ.get("SWIFT")
    for program in (override,) if override else (shutil.which("swift"), str(FOLDER / "swift")):
        if program and Path(program).is_file() and "Swift version" in _run(program, "--version")[1]:
            return program
    return None


def check_tests(program: str, scratch: Path) -> Outcome:
    """Return whether the package builds without a warning of its own and passes its tests."""
    stamp = scratch / STAMP
    stamp.unlink(missing_ok=True)
    digest = package_digest()
    code, output = run_package(program, "test", scratch)
    faults = sorted(
        {line.strip() for line in output.splitlines() if re.search(r": (error|warning): ", line)}
    )
    if code and not faults:
        faults = output.splitlines()[-15:]
    counts = re.findall(r"Executed (\d+) tests?, with 0 failures", output)
    if not faults and not counts:
        faults = ["no test was run"]
    if not faults and scratch.is_dir():
        stamp.write_text(digest)
    count = max(map(int, counts), default=0)
    return Outcome.of(TEST, faults, f"{_version(program)}: built, {count} tests passed")


def run_package(
    program: str, action: str, scratch: Path, *arguments: str, exchange: Path | None = None
) -> tuple[int, str]:
    """Run `swift test` or `swift run` on the package, and build it unless `check_tests` has.

    Args:
        program: the compiler.
        action: "test" or "run".
        scratch: build folder.
        arguments: options of the action, or the command to run.
        exchange: folder of reports; None is that of the environment, or one below build/.

    Returns:
        The exit code, and the output of the action and of the build.
    """
    skip = ("--skip-build",) if is_built(scratch) else ()
    package = ("--package-path", str(HARNESS), "--scratch-path", str(scratch))
    folder = str(exchange or os.environ.get(EXCHANGE) or EXCHANGE_FOLDER)
    return _run(program, action, *skip, *package, *arguments, **{EXCHANGE: folder})


def is_built(scratch: Path) -> bool:
    """Return whether the build in a scratch folder is of the sources as they are now."""
    stamp = scratch / STAMP
    return stamp.is_file() and stamp.read_text() == package_digest()


def check_format(program: str) -> Outcome:
    """Return whether swift-format agrees with the layout of every file."""
    code, output = _run(
        program,
        "format",
        "lint",
        "--strict",
        "--recursive",
        "--configuration",
        str(HARNESS / ".swift-format"),
        *(str(HARNESS / name) for name in ("Package.swift", "Sources", "Tests", "App")),
    )
    if code == 64 or "unable to find utility" in output:
        return Outcome(FORMAT, "not possible here", ("this toolchain has no swift-format",))
    faults = [line for line in output.splitlines() if ": error: " in line or ": warning: " in line]
    if code and not faults:
        faults = output.splitlines()[-5:]
    return Outcome.of(FORMAT, faults, "every file is laid out as .swift-format says")


def none() -> Outcome:
    """Return the outcome where there is no compiler."""
    return Outcome(TEST, "not possible here", (NO_COMPILER,))


def _version(program: str) -> str:
    match = re.search(r"Swift version [\d.]+", _run(program, "--version")[1])
    return match[0] if match else "Swift"


def _run(program: str, *arguments: str, **environment: str) -> tuple[int, str]:
    process = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=HARNESS,
        env={**os.environ, **environment},
    )
    return process.returncode, process.stdout + process.stderr
