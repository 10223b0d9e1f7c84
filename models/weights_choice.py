"""Choice of a state dict in checkpoints that hold several: the keys typed, and what was taken.

A choice is in force for a block (`choosing_weights`), and holds for the files of a network
(`reading_files`) alone, not for those of a loss network or an encoder that are read meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from styleexport.core.errors import UsageError


@dataclass(frozen=True)
class WeightsChoice:
    """Keys of state dicts by file, and what was taken of each file.

    Attributes:
        keys: as typed: ``KEY`` for every file, or ``FILE=KEY``.
        say: receives a line for each file that holds more than one state dict.
        every_file: returns all checkpoint files of the call, for which alone the keys are; None for
            any file.
        files: files that are read at present.
        taken: file → key of the state dict that was taken.
        said: lines that were said.
    """

    keys: Sequence[str] = ()
    say: Callable[[str], None] | None = None
    every_file: Callable[[], Iterable[Path]] | None = None
    files: frozenset[Path] = frozenset()
    taken: dict[Path, str] = field(default_factory=dict[Path, str])
    said: set[str] = field(default_factory=set[str])

    def key_of(self, path: Path) -> str | None:
        """Return the key typed for a file; None for none.

        Raises:
            UsageError: two keys are for the same file.
        """
        if path not in self.files or not self._is_typed(path):
            return None
        keys = [
            key
            for file, _, key in map(_file_and_key, self.keys)
            if file in ("", str(path), path.name)
        ]
        if len(keys) > 1:
            raise UsageError(
                f"--weights-key names {' and '.join(keys)} for {path}, expected one: type "
                f"--weights-key {path.name}={keys[0]}"
            )
        return keys[0] if keys else None

    def _is_typed(self, path: Path) -> bool:
        """Whether a file is a checkpoint of the call, not one that the call itself wrote."""
        return self.every_file is None or not {path, path.parent}.isdisjoint(self.every_file())

    def took(self, path: Path, key: str, remark: str) -> None:
        """Record what was taken of a file, and say it once."""
        if path in self.files and remark not in self.said:
            self.taken[path] = key
            self.said.add(remark)
            if self.say is not None:
                self.say(remark)

    def keys_taken(self, files: Sequence[Path]) -> tuple[str, ...]:
        """Return the keys that were taken of files that hold several state dicts."""
        return tuple(self.taken[path] for path in files if self.taken.get(path))

    def source(self, path: Path) -> str:
        """Return a file's name for a record, with the key that was taken of it."""
        return f"{path.name}: {self.taken[path]}" if self.taken.get(path) else path.name

    def check_files(self) -> None:
        """Check that each key is for a checkpoint of the call.

        Raises:
            UsageError: there is none, or one is for another file.
        """
        if self.every_file is None:
            return
        known = list(self.every_file())
        if self.keys and not known:
            raise UsageError(
                f"--weights-key {self.keys[0]} chooses among the state dicts of a checkpoint, and "
                "none was given: add --checkpoint FILE"
            )
        names = {name for path in known for name in (str(path), path.name)}
        for file, _, key in map(_file_and_key, self.keys):
            if file and file not in names:
                raise UsageError(
                    f"--weights-key {file}={key}: {file} is no checkpoint of this call, expected "
                    f"one of {', '.join(path.name for path in known) or 'none'}; type "
                    f"--weights-key {key}"
                )


_choice: ContextVar[WeightsChoice | None] = ContextVar("weights_choice", default=None)


def _file_and_key(text: str) -> tuple[str, str, str]:
    file, sign, key = text.rpartition("=")
    return file, sign, key


def weights_choice() -> WeightsChoice:
    """Return the choice in force; one without keys where there is none."""
    return _choice.get() or WeightsChoice()


def is_chosen() -> bool:
    """Whether a choice is in force."""
    return _choice.get() is not None


@contextmanager
def choosing_weights(
    keys: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
    every_file: Callable[[], Iterable[Path]] | None = None,
) -> Generator[WeightsChoice]:
    """Put a choice in force for a block."""
    token = _choice.set(WeightsChoice(tuple(keys), say, every_file))
    try:
        yield weights_choice()
    finally:
        _choice.reset(token)


@contextmanager
def reading_files(files: Iterable[Path]) -> Generator[None]:
    """Let the choice hold for these files, for a block.

    Raises:
        UsageError: a key is for a file that is no checkpoint of the call.
    """
    choice = weights_choice()
    choice.check_files()
    token = _choice.set(replace(choice, files=frozenset(files)))
    try:
        yield
    finally:
        _choice.reset(token)
