"""Atomic writes: files and folders that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from styleexport.core.errors import DeviceError


def _write_error(path: Path, error: OSError) -> DeviceError:
    return DeviceError(
        f"cannot write {path}: {error.strerror or error}; nothing was written: free some space or "
        "choose another place with -o"
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replace_file(path: Path) -> Generator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Raises:
        DeviceError: the folder is not writable or the disk is full.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _sync(part)
        part.replace(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextlib.contextmanager
def replace_folder(path: Path) -> Generator[Path]:
    """Yield a temporary folder beside ``path`` that takes its place when the block ends well.

    A folder that stood at ``path`` is moved aside, and removed once the new one is in place. Where
    ``path`` is a link, the folder that it leads to is replaced and the link stays.

    Raises:
        DeviceError: the parent is not writable or the disk is full.
    """
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise _write_error(path, error) from error
    old = part.with_suffix(".old")
    try:
        yield part
        for file in sorted(p for p in part.rglob("*") if p.is_file()):
            _sync(file)
        part.chmod(0o755)
        try:
            if path.exists():
                path.rename(old)
            part.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise
        _sync(path.parent)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
