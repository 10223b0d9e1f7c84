"""Groups of commands: help where no command is named, a suggestion where the name is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from styleexport.core.errors import UsageError
from styleexport.core.plugins import suggestion


class CommandGroup(click.Group):
    """A group that prints its help where it is called alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, or print the help and end with code 0 where there is nothing to parse."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # noqa: ANN401
        """Return the command of a call.

        Raises:
            UsageError: there is none of that name; the nearest is suggested.
        """
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UsageError(
                f"unknown command {args[0]!r}: expected one of {', '.join(known)}"
                + suggestion(args[0], known)
            )
        return super().resolve_command(ctx, args)


class DefaultCommand(click.Command):
    """The command that a `DefaultGroup` runs where none of its others is named.

    It goes by the name of its group, and its help lists the others.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> click.Context:
        """Return a context in the place of the group's."""
        assert parent is not None
        return super().make_context(parent.info_name, args, parent.parent, **extra)

    others: tuple[tuple[str, click.Command], ...] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and the other commands of the group below them."""
        super().format_options(ctx, formatter)
        rows = [(name, command.get_short_help_str(80)) for name, command in self.others]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class DefaultGroup(click.Group):
    """A group with a command for calls whose first word is not the name of another.

    Args:
        default: that command.
        others: commands with names of their own.
        operand: what the default command takes, as an error names it.
    """

    def __init__(self, default: DefaultCommand, *others: click.Command, operand: str) -> None:
        super().__init__(
            default.name,
            help=default.help,
            short_help=default.short_help,
            epilog=default.epilog,
        )
        self.default, self.operand = default, operand
        for command in others:
            self.add_command(command)
        default.others = tuple(self.commands.items())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of what names no other.

        Raises:
            UsageError: the first word is neither a command nor a path, and close to a command.
        """
        # Options may come before a command's name, where a value of theirs is no path either.
        first = next((word for word in args if not word.startswith("-")), "")
        if first in self.commands and first != args[0]:
            raise UsageError(
                f"the command {first!r} goes before its options: type {self.name} {first} …"
            )
        if first not in self.commands:
            meant = suggestion(first, tuple(self.commands))
            if meant and not Path(first).exists() and not ctx.resilient_parsing:
                raise UsageError(
                    f"unknown command {first!r}: expected {', '.join(self.commands)} or "
                    f"{self.operand}{meant}"
                )
            args = ["", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; the empty name is that of the default."""
        return self.default if cmd_name == "" else super().get_command(ctx, cmd_name)
