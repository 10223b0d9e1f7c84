"""Options that every command takes: how much it prints, and whether in colour."""

from __future__ import annotations

import click

from styleexport.cli._terminal import TERMINAL, Color


def _set_verbosity(_context: click.Context, _option: click.Parameter, value: int) -> None:
    if value:
        TERMINAL.verbosity = value


def _set_quiet(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        TERMINAL.verbosity = -1


def _set_color(_context: click.Context, _option: click.Parameter, value: Color | None) -> None:
    if value:
        TERMINAL.color = value


def _options() -> tuple[click.Option, ...]:
    shared = {"expose_value": False, "is_eager": True}
    return (
        click.Option(
            ["-v", "--verbose"],
            count=True,
            callback=_set_verbosity,
            help="Print times, versions and choices too; -vv prints the traceback of an error.",
            **shared,  # pyright: ignore[reportArgumentType]
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            callback=_set_quiet,
            help="Print results and errors alone.",
            **shared,  # pyright: ignore[reportArgumentType]
        ),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            callback=_set_color,
            help="Colour text.  [default: auto, that is, on a terminal unless NO_COLOR is set]",
            **shared,  # pyright: ignore[reportArgumentType]
        ),
    )


def output_options(command: click.Command) -> click.Command:
    """Give a command, and all commands inside it, the options, once."""
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params += [option for option in _options() if taken.isdisjoint(option.opts)]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            output_options(inner)
        if (default := getattr(command, "default", None)) is not None:
            output_options(default)
    return command
