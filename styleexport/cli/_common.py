"""Options and output shared by the commands."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from styleexport.cli._terminal import TERMINAL
from styleexport.core.command_line import command_line
from styleexport.core.notebook import human_bytes as human_bytes
from styleexport.core.terminal import one_line
from styleexport.core.types import Progress

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
PATH = click.Path(path_type=Path)


@dataclass(frozen=True)
class Caller:
    """Python code that calls a command as a function, and gets its result instead of a text.

    Attributes:
        progress: receives lines of progress.
        arguments: command and options, as they would be typed.
    """

    progress: Progress
    arguments: tuple[str, ...]


_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


@contextlib.contextmanager
def called_by(caller: Caller) -> Generator[None]:
    """Print nothing inside the block: results are returned, and progress goes to the caller."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


def typed_command() -> str:
    """Return the command line, or the one that does what Python code asked for."""
    caller = _CALLER.get()
    return command_line(None if caller is None else caller.arguments)


def _choose_weights(
    context: click.Context, _option: click.Parameter, keys: tuple[str, ...]
) -> None:
    """Put the keys in force for the command."""
    from styleexport.models.weights_choice import choosing_weights

    def checkpoints() -> tuple[Path, ...]:
        # Of every option that takes checkpoints: they are parsed before a file is read.
        given = {name: value for name, value in context.params.items() if "checkpoint" in name}
        return tuple(path for paths in given.values() for path in paths)

    context.with_resource(choosing_weights(keys, talk, checkpoints))


weights_key_option = click.option(
    "--weights-key",
    multiple=True,
    metavar="[FILE=]KEY",
    expose_value=False,
    callback=_choose_weights,
    help="State dict to take from a checkpoint that holds several: params_ema, netG.  "
    "[default: the averaged one where that is clear]",
)


def say(line: object) -> None:
    """Print a line of a result on stdout."""
    if _CALLER.get() is None:
        TERMINAL.say(line)


def talk(message: str) -> None:
    """Print a line of progress on stderr, or give it to the Python code that called."""
    caller = _CALLER.get()
    (TERMINAL.talk if caller is None else caller.progress)(message)


def detail(message: str) -> None:
    """Print a line on stderr that only ``-v`` asks for."""
    if _CALLER.get() is None:
        TERMINAL.detail(message)


def document(text: str, *, err: bool = False) -> None:
    """Print a text of several lines, whole."""
    if _CALLER.get() is None:
        TERMINAL.document(text, err=err)


def print_json(value: object) -> None:
    """Print a value (structs included) as indented JSON on stdout."""
    import msgspec

    # JSON's own escapes leave the delete character alone.
    document(json.dumps(msgspec.to_builtins(value), indent=2).replace("\x7f", "\\u007f"))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header; columns whose cells all begin with a digit are right-aligned."""
    cells = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    numeric = [
        bool(rows) and all(row[i][:1].isdigit() or row[i] in ("", "-") for row in rows)
        for i in range(len(header))
    ]
    for row in cells:
        line = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        document("  ".join(line).rstrip())
