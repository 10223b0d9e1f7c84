"""Run every check that this machine can; say which it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ios_harness.check import apple_types, compiler, contract_keys, info_plist, project, syntax
from ios_harness.check.outcome import Outcome
from ios_harness.check.sources import ROOT

SCRATCH = ROOT / "build" / "ios_harness"
NEVER = (
    "Never run by the project: the app, Core ML's engine and the camera. They need a Mac with "
    "Xcode, and a phone."
)


def outcomes(scratch: Path = SCRATCH) -> Iterator[Outcome]:
    """Yield what each check found."""
    yield contract_keys.check()
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
    """Print every outcome; return 1 where something failed."""
    failed = False
    for outcome in outcomes():
        failed |= outcome.status == "failed"
        click.echo(f"{outcome.name}: {outcome.status}")
        for line in outcome.lines:
            click.echo(f"  {line}")
    click.echo(NEVER)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
