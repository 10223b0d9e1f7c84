"""Every state of a folder that a killed process can leave, one before each change of a file.

Python reports changes of files to audit hooks before it makes them (PEP 578), so the product needs
no code for it; statements of SQLite come from its trace callback. What a process leaves behind when
it is killed is what is on the disk: the recorder copies the folder before each change, and
`kill_before` ends the process there for real.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

# Events whose first argument, or both of the first two, are paths that change.
CHANGES = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Names that differ from run to run: tags of parts, and times.
TAG = re.compile(r"styleexport-[0-9a-f]{8}|\d{8}T\d{6}Z")


class Recorder:
    """Calls a function before every change below a folder.

    Args:
        folder: folder that is watched.
        before: receives the number of the change and its kind: what is done to which kind of file.
    """

    def __init__(self, folder: Path, before: Callable[[int, str], None]) -> None:
        self.folder = folder
        self.before = before
        self.count = 0
        self.active = False

    def start(self) -> None:
        """Watch from now on; a hook cannot be taken away, so a process does it once."""
        connect = sqlite3.connect

        def traced(*arguments: object, **options: object) -> sqlite3.Connection:
            connection = connect(*arguments, **options)  # type: ignore[call-overload]
            connection.set_trace_callback(lambda text: self.note(f"sqlite {text.split()[0]}"))
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]
        sys.addaudithook(self._hook)
        self.active = True

    def note(self, kind: str) -> None:
        """Report a change that is about to be made."""
        if not self.active:
            return
        self.active = False  # what is done meanwhile is not the product's
        try:
            self.count += 1
            self.before(self.count, TAG.sub("*", kind))
        finally:
            self.active = True

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.active:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and (name := self._inside(path)):
                self.note(f"open {name}")
        elif event in CHANGES:
            names = [name for path in arguments[:2] if (name := self._inside(path))]
            if names:
                self.note(f"{event} {' '.join(names)}")
        elif event == "ctypes.dlsym" and arguments[1] in ("renameat2", "renamex_np"):
            self.note("exchange or rename without replacing")

    def _inside(self, path: object) -> str:
        if not isinstance(path, str | bytes | os.PathLike):
            return ""
        absolute = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - it may be gone
        return (
            str(absolute.relative_to(self.folder)) if absolute.is_relative_to(self.folder) else ""
        )


def record(folder: Path, copies: Path, run: Callable[[], object]) -> None:
    """Run with a copy of the folder before every change, ``copies/NUMBER``, and one of the end.

    States that were seen already are not kept. ``copies/kinds`` has a line for every change: its
    number, a tab, and its kind.
    """
    seen: set[str] = set()
    kinds: list[str] = []

    def copy(number: int, kind: str) -> None:
        kinds.append(f"{number}\t{kind}")
        state = digest(folder)
        if state not in seen:
            seen.add(state)
            shutil.copytree(folder, copies / f"{number:04}", symlinks=True)

    recorder = Recorder(folder, copy)
    recorder.start()
    run()
    recorder.active = False
    copy(recorder.count + 1, "the end")
    (copies / "kinds").write_text("\n".join(kinds))


def kill_before(folder: Path, number: int, run: Callable[[], object]) -> None:
    """Run, and kill this process before a change, as the system would."""

    def kill(count: int, _kind: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Recorder(folder, kill).start()
    run()


def digest(folder: Path) -> str:
    """Return a digest over names and contents of a folder; names that vary are one."""
    result = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda path: TAG.sub("*", str(path))):
        result.update(TAG.sub("*", str(path.relative_to(folder))).encode())
        if path.is_file() and not path.is_symlink():
            result.update(path.read_bytes())
    return result.hexdigest()


def names(folder: Path) -> list[str]:
    """Return the paths below a folder; those that vary from run to run are one."""
    return sorted(TAG.sub("*", str(path.relative_to(folder))) for path in folder.rglob("*"))
