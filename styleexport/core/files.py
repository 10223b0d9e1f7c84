"""Atomic writes: files and folders that appear complete or not at all.

What is written is put beside its place under a name of ours and moved there at the end. A killed
process leaves such a part behind; the next write into the same folder removes it. Something that
is at the place already is replaced only if it is recognised, by its contents, as a product of ours.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.input_files import is_folder, read_input
from styleexport.core.leftovers import entries, is_scratch, recover, remove, remove_leftovers
from styleexport.core.locks import change_lock, own
from styleexport.core.renaming import exchange, rename_new
from styleexport.core.types import Progress

__all__ = [
    "NEW",
    "Product",
    "check_replaceable",
    "entries",
    "folder_product",
    "is_scratch",
    "json_product",
    "marked_product",
    "recover",
    "remove",
    "remove_leftovers",
    "replace_file",
    "replace_folder",
]


@dataclass(frozen=True)
class Product:
    """Kind of file or folder that a command writes, and may replace.

    Attributes:
        name: its name with an article: ``a latency report``.
        recognises: whether the contents of a path are one; what it raises counts as no.
    """

    name: str
    recognises: Callable[[Path], bool]


def json_product(name: str, *keys: str) -> Product:
    """Return a product that is a JSON object with certain keys, in whatever version."""

    def recognises(path: Path) -> bool:
        document = msgspec.json.decode(read_input(path), type=dict[str, msgspec.Raw])
        return set(keys) <= set(document)

    return Product(name, recognises)


def folder_product(name: str, within: Mapping[str, Product | None]) -> Product:
    """Return a product that is a folder with nothing in it but certain entries.

    Args:
        name: its name with an article.
        within: entry → what it must be if it is there; None takes anything. The first is required.
    """

    def recognises(path: Path) -> bool:
        names = {entry.name for entry in entries(path)}
        products = {name: within[name] for name in names if within.get(name) is not None}
        return (
            next(iter(within)) in names
            and names <= set(within)
            and all(
                product.recognises(path / name) for name, product in products.items() if product
            )
        )

    return Product(name, recognises)


def marked_product(name: str, mark: bytes) -> Product:
    """Return a product that is a file with a mark in its first 2000 bytes."""

    def recognises(path: Path) -> bool:
        return mark in read_input(path)[:2000]

    return Product(name, recognises)


NEW = Product("a new file", lambda _: False)


def check_replaceable(path: Path, product: Product) -> None:
    """Check that nothing is at a path, or nothing but an empty file or folder or a product of ours.

    Raises:
        UsageError: something else is there.
    """
    if not os.path.lexists(path):
        return
    with contextlib.suppress(Exception):  # what strange bytes make a reader raise is no closed list
        if is_folder(path) and not entries(path):
            return
        if path.is_file() and (path.stat().st_size == 0 or product.recognises(path)):
            return
        if is_folder(path) and product.recognises(path):
            return
    raise UsageError(
        f"{path} is there already and is not {product.name}, so it is kept: name another place for "
        "the output, or move it away"
    )


def _write_error(path: Path, error: OSError) -> DeviceError:
    return DeviceError(
        f"cannot write {path}: {error.strerror or error}; nothing was written: free some space or "
        "choose another place with -o"
    )


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replace_file(path: Path, product: Product | None = None) -> Generator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Args:
        path: file to write.
        product: what may be replaced; None where the path is in a folder of ours.

    Raises:
        UsageError: something that is not ours is at ``path``.
        DeviceError: the folder is not writable or the disk is full.
    """
    if product is not None:
        check_replaceable(path, product)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        with _part_beside(path, _create_file) as part:
            yield part
            _sync(part)
            _put(part, path, product)
            _sync(path.parent)
    except OSError as error:
        raise _write_error(path, error) from error


@contextlib.contextmanager
def replace_folder(
    path: Path, product: Product | None = None, waiting: Progress = lambda _: None
) -> Generator[Path]:
    """Yield a temporary folder beside ``path`` that takes its place when the block ends well.

    A folder at ``path`` is locked meanwhile, exchanged with the new one in one step where the
    system can, and removed. Where ``path`` is a link, the folder that it leads to is replaced and
    the link stays.

    Args:
        path: folder to write.
        product: what may be replaced; None where the path is in a folder of ours.
        waiting: receives who holds the lock while it is waited for.

    Raises:
        UsageError: something that is not ours is at ``path``.
        DeviceError: the parent is not writable or the disk is full.
    """
    try:
        path = Path(os.path.realpath(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
        with change_lock(path, waiting) if path.is_dir() else contextlib.nullcontext():
            if product is not None:
                check_replaceable(path, product)
            with _part_beside(path, _create_folder) as part:
                yield part
                for file in sorted(p for p in part.rglob("*") if not p.is_symlink()):
                    _sync(file)
                part.chmod(0o755)
                _sync(part)
                _put(part, path, product)
                _sync(path.parent)
    except OSError as error:
        raise _write_error(path, error) from error


def _create_folder(path: Path) -> None:
    path.mkdir(mode=0o700)


def _create_file(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))


@contextlib.contextmanager
def _part_beside(path: Path, create: Callable[[Path], None]) -> Generator[Path]:
    """Yield a new part that this process owns, removed at the end unless it was moved."""
    part, descriptor = None, None
    try:  # from before it is there: an interruption may come at any point
        while True:
            part = path.with_name(f".{path.name}.styleexport-{secrets.token_hex(4)}.part")
            create(part)
            descriptor = _open_part(part)
            if os.path.lexists(part):  # no other process took it for a leftover before it was owned
                break
            _close(descriptor)
        yield part
    finally:
        with contextlib.suppress(OSError):
            if part is not None:
                remove(part)
        _close(descriptor)


def _open_part(part: Path) -> int | None:
    """Return a descriptor that owns a part; None on systems without (Windows)."""
    if os.name == "nt":
        return None
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(part, os.O_RDONLY)
        own(descriptor)
        return descriptor
    return None


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _put(part: Path, path: Path, product: Product | None) -> None:
    """Move a part to its place; what was there is then at the part's, to be removed.

    Raises:
        UsageError: something that is not ours is at the place.
    """
    while True:
        if product is not None:
            check_replaceable(path, product)
        if not os.path.lexists(path):
            if product is None or not part.is_file():
                part.rename(path)
                return
            if rename_new(part, path):
                return
        elif part.is_file():
            part.replace(path)
            return
        else:
            _replace_by_folder(part, path)
            return


def _replace_by_folder(part: Path, path: Path) -> None:
    if exchange(part, path):
        return
    old = part.with_suffix(".old")
    try:
        path.rename(old)
        part.rename(path)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(path):
            old.rename(path)
        raise
    with contextlib.suppress(OSError):
        remove(old)
