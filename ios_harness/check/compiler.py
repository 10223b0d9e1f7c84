"""Does the package compile, pass its tests and keep its format? Where there is a Swift compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from ios_harness.check.debian_swift import FOLDER
from ios_harness.check.outcome import Outcome
from ios_harness.check.sources import HARNESS

TEST = "swift test"
FORMAT = "swift format"
NONE = (
    "no Swift compiler: nothing was compiled. On a Mac install Xcode 16; on Debian 13 type "
    "apt-get install swiftlang; as root on an older one, make swift"
)
SECONDS = 1200


def swift() -> str | None:
    """Return the Swift compiler: `$SWIFT`, that on the path, or Debian's; None where none is.

    OpenStack's client is called swift too, and is told apart by what it says of its version.
    """
    asked = os.environ.get("SWIFT")
    for program in (asked,) if asked else (shutil.which("swift"), str(FOLDER / "swift")):
        if program and Path(program).is_file() and "Swift version" in _run(program, "--version")[1]:
            return program
    return None


def check_tests(program: str, scratch: Path) -> Outcome:
    """Return whether the package builds without a warning of its own and passes its tests."""
    code, said = _run(
        program, "test", "--package-path", str(HARNESS), "--scratch-path", str(scratch)
    )
    faults = sorted(
        {line.strip() for line in said.splitlines() if re.search(r": (error|warning): ", line)}
    )
    if code and not faults:
        faults = said.splitlines()[-15:]
    counts = re.findall(r"Executed (\d+) tests?, with 0 failures", said)
    if not faults and not counts:
        faults = ["no test was run"]
    count = max(map(int, counts), default=0)
    return Outcome.of(TEST, faults, f"{_version(program)}: built, {count} tests passed")


def check_format(program: str) -> Outcome:
    """Return whether swift-format agrees with the layout of every file."""
    code, said = _run(
        program, "format", "lint", "--strict", "--recursive",
        "--configuration", str(HARNESS / ".swift-format"),
        *(str(HARNESS / name) for name in ("Package.swift", "Sources", "Tests", "App")),
    )  # fmt: skip
    if code == 64 or "unable to find utility" in said:
        return Outcome(FORMAT, "not possible here", ("this toolchain has no swift-format",))
    faults = [line for line in said.splitlines() if ": error: " in line or ": warning: " in line]
    if code and not faults:
        faults = said.splitlines()[-5:]
    return Outcome.of(FORMAT, faults, "every file is laid out as .swift-format says")


def none() -> Outcome:
    """Return the outcome where there is no compiler."""
    return Outcome(TEST, "not possible here", (NONE,))


def _version(program: str) -> str:
    said = _run(program, "--version")[1]
    match = re.search(r"Swift version [\d.]+", said)
    return match[0] if match else "Swift"


def _run(program: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=SECONDS,
        cwd=HARNESS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
