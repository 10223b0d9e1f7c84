"""Options and output shared by the commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from styleexport.cli._terminal import TERMINAL
from styleexport.core.terminal import one_line

F = TypeVar("F", bound=Callable[..., Any])

say, talk, document = TERMINAL.say, TERMINAL.talk, TERMINAL.document
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
PATH = click.Path(path_type=Path)


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


def human_bytes(count: int) -> str:
    """Return a size as kB or MB (powers of ten)."""
    return f"{count / 1e6:.2f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"
