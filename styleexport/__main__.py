"""The command line: errors become one line and an exit code here, and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import io
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from styleexport.core.shadowing import protect_libraries

# Before the first library is imported.
protect_libraries()

import click  # noqa: E402

from styleexport.cli import cli  # noqa: E402
from styleexport.cli._terminal import TERMINAL  # noqa: E402
from styleexport.core.errors import StyleExportError  # noqa: E402
from styleexport.core.garbage import collect_rarely  # noqa: E402

INTERRUPTED = 130
# Time in seconds in which a second signal does not interrupt the cleaning up.
CLEANING_UP = 10.0
# Errors of a disk, not of what was typed.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def _signals() -> list[signal.Signals]:
    """Return the signals that end a command, without those that the caller ignores (nohup)."""
    ending = [signal.SIGINT, signal.SIGTERM]
    # A terminal that is closed; Windows has none.
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        ending.append(hang_up)
    return ending


def interruption() -> Callable[[int, FrameType | None], None]:
    """Return a signal handler that interrupts the command.

    A second signal soon after the first must not end the cleaning up that the first one started. A
    later one interrupts again, as a library may have caught the first.
    """
    latest = -CLEANING_UP

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal latest
        now = time.monotonic()
        if now - latest >= CLEANING_UP:
            latest = now
            raise KeyboardInterrupt

    return interrupt


def _system_error(error: OSError) -> int:
    """Print what the system refused, and return the exit code; without a path it is a bug."""
    if error.filename is None:
        TERMINAL.document(traceback.format_exc(), err=True)
        return 1
    name = str(error.filename)
    remedy = "free some space" if error.errno in DISK else "type another path"
    TERMINAL.complain(f"{name[:200]}{'…' if name[200:] else ''}: {error.strerror}; {remedy}")
    return 4 if error.errno in DISK else 2


def main() -> NoReturn:
    """Run the command line and exit with the code that `core/errors.py` gives the outcome."""
    collect_rarely()
    interrupt = interruption()
    for number in _signals():
        signal.signal(number, interrupt)
    # A locale that lacks a character shows its escape.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(prog_name="styleexport", standalone_mode=False)
    except StyleExportError as error:
        if TERMINAL.verbosity > 1:
            TERMINAL.document(traceback.format_exc(), err=True)
        TERMINAL.complain(str(error))
        code = error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "styleexport"
        message = error.format_message().rstrip(".")
        TERMINAL.complain(f"{message}; try `{command} --help`")
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        with contextlib.suppress(OSError):  # the terminal may be closed
            TERMINAL.talk("interrupted: nothing half-written was left behind")
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except MemoryError:
        TERMINAL.complain(
            "this needs more memory than there is: name a smaller --size or other files"
        )
        code = 4
    except OSError as error:  # a name that is too long, a file that may not be read, a full disk
        code = _system_error(error)
    except Exception:  # noqa: BLE001 - a bug of ours, whose message may hold what a file says
        TERMINAL.document(traceback.format_exc(), err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
