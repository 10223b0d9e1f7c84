"""The commands, one file each; a file is imported when its command or the help is asked for."""

from __future__ import annotations

from typing import Any

import click

from styleexport.cli._group import CommandGroup
from styleexport.cli._output import output_options
from styleexport.cli._terminal import TERMINAL
from styleexport.core import plugins

PACKAGE = "styleexport.cli"
# Of the help, in this order; each command's file names its section.
SECTIONS = ("make", "check", "measure", "compress", "apps")


class Commands(CommandGroup):
    """A group whose commands are the public modules of this package."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401
        """Return the context of a call, which begins with no option set."""
        TERMINAL.verbosity, TERMINAL.color = 0, "auto"
        return super().make_context(*args, **extra)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # noqa: ANN401
        """Return the command of a call, and show that it is at work; see `CommandGroup`."""
        resolved = super().resolve_command(ctx, args)
        TERMINAL.begin(args[0])
        return resolved

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, and show no longer that it is at work."""
        try:
            return super().invoke(ctx)
        finally:
            TERMINAL.end()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names, sorted."""
        return list(plugins.names(PACKAGE))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its file."""
        if cmd_name not in plugins.names(PACKAGE):
            return None
        command = plugins.load(PACKAGE, cmd_name, "COMMAND")
        assert isinstance(command, click.Command)
        return output_options(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section."""
        names = self.list_commands(ctx)
        column = max(map(len, names))
        rows: dict[object, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for name in names:
            command = self.get_command(ctx, name)
            assert command is not None
            text = command.get_short_help_str(formatter.width - 6 - column)
            rows[plugins.load(PACKAGE, name, "SECTION")].append((name.ljust(column), text))
        for section in SECTIONS:
            with formatter.section(section.capitalize()):
                formatter.write_dl(rows[section])


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    epilog="Example: styleexport onnx --precision int8",
)
@click.version_option(package_name="styleexport")
def cli() -> None:
    """Export trained style-transfer networks for phones, and prove each file right."""


output_options(cli)
