"""Run every check that this machine can run, and report those that it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tools.ios_check import apple_types, compiler, info_plist, project, syntax
from tools.ios_check.outcome import Outcome
from tools.ios_check.sources import ROOT

# SwiftPM's build folder. It is kept, so that the next run compiles only what has changed.
SCRATCH = ROOT / "build" / "ios-check"
NOT_COVERED = (
    "Not covered by any of these: running the app, the Core ML engine and the camera. That needs a "
    "Mac with Xcode, and an iPhone."
)


def outcomes(scratch: Path = SCRATCH) -> Iterator[Outcome]:
    """Yield the outcome of each check, the fast ones first."""
    yield syntax.check()
    yield project.check()
    yield info_plist.check()
    program = compiler.swift()
    if program is None:
        yield compiler.none()
        return
    yield compiler.check_format(program)
    yield compiler.check_tests(program, scratch)
    yield apple_types.check(program, scratch)


def main() -> int:
    """Print every outcome; return 1 if a check failed."""
    failed = False
    for outcome in outcomes():
        failed |= outcome.status == "failed"
        click.echo(f"{outcome.name}: {outcome.status}")
        for line in outcome.lines:
            click.echo(f"  {line}")
    click.echo(NOT_COVERED)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
