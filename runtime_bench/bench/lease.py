"""Lease of a hosted device: the user's own command, before and after the measurement.

``COMMAND acquire`` makes the device usable and may print its serial number as its last line;
``COMMAND release`` gives it back. It is released however the measurement ends, short of a kill.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.types import Progress

ACQUIRE_SECONDS = 1_800.0
RELEASE_SECONDS = 300.0
# Holds the serial number that acquire printed, for release.
SERIAL_VARIABLE = "STYLEEXPORT_SERIAL"


@contextmanager
def leased(command: str | None, progress: Progress) -> Generator[str | None]:
    """Hold a device for a block; the value is the serial number that acquire printed, or None.

    An acquire that fails has acquired nothing and is not released; one that is interrupted may
    have, and is.

    Args:
        command: command line, split as a shell splits it, but run without one; None leases nothing.
        progress: receives lines of progress, and what went wrong while releasing.

    Raises:
        DeviceError: the device cannot be acquired.
        UsageError: the command line is empty or cannot be split.
    """
    if command is None:
        yield None
        return
    words = words_of(command)
    serial: str | None = None
    held = True
    try:
        progress(f"lease: {words[0]} acquire")
        try:
            serial = _acquire(words)
        except DeviceError:
            held = False
            raise
        yield serial
    finally:
        if held:
            _release(words, serial, progress)


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command line.

    Raises:
        UsageError: there is none, or a quote is not closed.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(
            f"--lease {command!r} cannot be split into words ({error}): close its quotes"
        ) from error
    if not words:
        raise UsageError("--lease is empty: type a command, such as --lease ./farm.sh")
    return words


def _acquire(words: Sequence[str]) -> str | None:
    """Return the serial number that the command prints last, if any.

    Raises:
        DeviceError: the command cannot be started, fails, or does not end.
    """
    call = f"--lease: `{shlex.join(words)} acquire`"
    try:
        done = subprocess.run(
            [*words, "acquire"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=ACQUIRE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{call} did not end within {ACQUIRE_SECONDS:.0f} s: it must return when the device is "
            "ready; release what it may hold"
        ) from error
    except OSError as error:
        raise DeviceError(f"{call} cannot be started: {error.strerror}") from error
    lines = [line.strip() for line in done.stdout.decode(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), None)
    if done.returncode:
        said = f": {last[:200]}" if last else ""
        raise DeviceError(
            f"{call} failed with code {done.returncode}{said}; nothing was acquired or measured"
        )
    return last


def _release(words: Sequence[str], serial: str | None, progress: Progress) -> None:
    """Run the command's release; what goes wrong is reported, and hides no earlier error."""
    call = f"`{shlex.join(words)} release`"
    progress(f"lease: {words[0]} release")
    try:
        done = subprocess.run(
            [*words, "release"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **({SERIAL_VARIABLE: serial} if serial else {})},
            timeout=RELEASE_SECONDS,
            check=False,
            # A second Ctrl-C in the terminal must not end it.
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        progress(f"warning: {call} did not end ({error}): the device may still be held")
        return
    if done.returncode:
        progress(
            f"warning: {call} failed with code {done.returncode}: the device may still be held"
        )
