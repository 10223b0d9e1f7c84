"""Folder of a training: locked while it runs, and of one training alone."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.files import Product, check_replaceable, remove_leftovers
from styleexport.core.input_files import open_input
from styleexport.core.locks import change_lock
from styleexport.core.types import Progress

LAST = "last.pt"
LOG = "log.jsonl"
WEIGHTS = "weights.safetensors"


def _is_log(path: Path) -> bool:
    with open_input(path) as file:
        return "step" in msgspec.json.decode(file.readline(), type=dict[str, msgspec.Raw])


LOG_PRODUCT = Product("the log of a training", _is_log)


@contextlib.contextmanager
def run_folder(
    out: Path, outputs: Sequence[str], *, resume: bool, progress: Progress
) -> Generator[None]:
    """Hold the folder of a training inside the block.

    Args:
        out: the folder, made where it is missing.
        outputs: files that the training writes and a new one must not find.
        resume: whether the training in the folder is resumed.
        progress: receives progress lines, and who holds the folder while it is waited for.

    Raises:
        UsageError: the folder is a file, or holds another training or files of others.
        DeviceError: it cannot be made.
    """
    if out.is_file():
        raise UsageError(f"{out} is a file; type -o with the name of a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"cannot write {out}: {error.strerror}; choose another -o") from error
    try:
        with change_lock(out, progress):
            remove_leftovers(out)
            if not resume:
                _check_new(out, outputs)
            yield
    except BaseException:
        with contextlib.suppress(OSError):  # it goes if nothing was written
            out.rmdir()
        raise


def _check_new(out: Path, outputs: Sequence[str]) -> None:
    """Check that a new training replaces nothing but the log of one that was killed early.

    Raises:
        UsageError: it would.
    """
    if (out / LAST).exists():
        raise UsageError(
            f"{out / LAST} exists: add --resume to go on with it, or choose another -o"
        )
    for name in outputs:
        if (out / name).exists():
            raise UsageError(
                f"{out / name} is there already, and the training would replace it: choose another "
                "-o, or move it away"
            )
    check_replaceable(out / LOG, LOG_PRODUCT)
    (out / LOG).unlink(missing_ok=True)
