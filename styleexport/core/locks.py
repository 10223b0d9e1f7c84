"""File locks between processes: the operating system releases them when a process is killed.

The lock file says who holds it, so that whoever waits can say so too. Systems without such locks
(Windows), and file systems without, rely on the user to run one command at a time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from styleexport.core.command_line import command_line
from styleexport.core.errors import DeviceError
from styleexport.core.types import Progress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# Inside a folder that is being changed; beside a file it is `.NAME.styleexport.lock`.
FOLDER_LOCK = ".styleexport.lock"
POLL_SECONDS = 0.1
QUIET_SECONDS = 0.5
MOST_BYTES = 4096
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class Holder(msgspec.Struct, frozen=True):
    """Process that holds a lock.

    Attributes:
        pid: process id.
        command: its command line, without folders.
        since: when it got the lock, UTC.
    """

    pid: int
    command: str
    since: str

    @classmethod
    def here(cls) -> Holder:
        """Return this process, from now on."""
        return cls(os.getpid(), command_line(), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")


def lock_of(path: Path) -> Path:
    """Return the lock file of a folder that is there, or of a file that need not be."""
    if path.is_dir():
        return path / FOLDER_LOCK
    return path.with_name(f".{path.name}{FOLDER_LOCK}")


@contextlib.contextmanager
def change_lock(path: Path, waiting: Progress) -> Generator[None]:
    """Hold the lock for changing a folder that is there, or a file, inside the block.

    The lock file is removed at the end. A folder that cannot be written is not locked.

    Args:
        path: folder or file.
        waiting: receives who holds the lock while it is waited for.
    """
    lock: _Lock | None = None
    try:
        while lock is None:
            file = lock_of(path)
            try:
                lock = _acquire(file, str(path), waiting, exclusive=True)
            except (PermissionError, FileNotFoundError):
                break
            except OSError as error:
                if error.errno != errno.EROFS:
                    raise
                break
            if lock.descriptor is not None and not _is_at(lock.descriptor, file):
                lock.release()  # its last holder removed it, or another folder took the place
                lock = None
        yield
    finally:
        if lock is not None:
            if lock.descriptor is not None and _is_at(lock.descriptor, lock.path):
                with contextlib.suppress(OSError):
                    lock.path.unlink()
            lock.release()


@contextlib.contextmanager
def shared_file_lock(
    path: Path, what: str, waiting: Progress, *, exclusive: bool
) -> Generator[None]:
    """Hold a lock in a file that stays, shared or alone, inside the block.

    Args:
        path: lock file; it may be another user's.
        what: what is waited for, for messages.
        waiting: receives who holds the lock while it is waited for.
        exclusive: whether to hold it alone.
    """
    lock = _acquire(path, what, waiting, exclusive=exclusive)
    try:
        yield
    finally:
        lock.release()


def own(descriptor: int) -> bool:
    """Take the lock of an open file or folder unless another process has it; return whether.

    The lock is held until the descriptor is closed.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class _Lock:
    """A lock that is held; ``descriptor`` is None where there are no locks."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor
        self._signed = False

    def sign(self) -> None:
        """Write this process into the lock file, if it may be written."""
        if self.descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, 0)
                os.pwrite(self.descriptor, msgspec.json.encode(Holder.here()), 0)
                self._signed = True

    def release(self) -> None:
        """Let go of the lock."""
        if self.descriptor is None:
            return
        if self._signed and (holder := _holder(self.descriptor)) and holder.pid == os.getpid():
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)
        self.descriptor = None


def _acquire(path: Path, what: str, waiting: Progress, *, exclusive: bool) -> _Lock:
    """Return the lock of a file once it is free.

    Raises:
        DeviceError: something else than a file is at its place.
        OSError: the file cannot be made.
    """
    if fcntl is None:
        return _Lock(path, None)
    descriptor = _open(path)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DeviceError(f"{path} is no regular file, and a lock is needed there: remove it")
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        started, said = time.monotonic(), ""
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                message = f"waiting for {what}, held by {_described(_holder(descriptor))}"
                if message != said and time.monotonic() - started >= QUIET_SECONDS:
                    waiting(message)
                    said = message
                time.sleep(POLL_SECONDS)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                os.close(descriptor)
                return _Lock(path, None)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    lock = _Lock(path, descriptor)
    lock.sign()
    return lock


def _open(path: Path) -> int:
    """Return a descriptor of a lock file, which another user's file may be: that is not written."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | flags)
    except FileNotFoundError:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _holder(descriptor: int) -> Holder | None:
    """Return the process that wrote itself into a lock file; None where none did."""
    try:
        return msgspec.json.decode(os.pread(descriptor, MOST_BYTES, 0), type=Holder)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _described(holder: Holder | None) -> str:
    if holder is None:
        return "another process"
    return f"process {holder.pid} ({holder.command}) since {holder.since}"
