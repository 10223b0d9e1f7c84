"""The commands, one file each; a file is imported when its command or the help is asked for."""

from __future__ import annotations

from typing import Any

import click

from styleexport.core import plugins

PACKAGE = "styleexport.cli"


class Commands(click.Group):
    """A group whose commands are the public modules of this package."""

    verbosity = 0

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names, sorted."""
        return list(plugins.names(PACKAGE))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its file."""
        if cmd_name not in plugins.names(PACKAGE):
            return None
        command = plugins.load(PACKAGE, cmd_name, "COMMAND")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # noqa: ANN401
        """Find the command, or suggest the nearest."""
        if args and args[0] not in plugins.names(PACKAGE) and not args[0].startswith("-"):
            plugins.load(PACKAGE, args[0], "COMMAND")
        return super().resolve_command(ctx, args)


def _set_verbosity(ctx: click.Context, _parameter: click.Parameter, value: int) -> None:
    if isinstance(ctx.command, Commands):
        ctx.command.verbosity = value


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: styleexport onnx --quantize int8",
)
@click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    callback=_set_verbosity,
    is_eager=True,
    help="Say more; -vv shows the traceback of an error.",
)
@click.version_option(package_name="styleexport")
def cli() -> None:
    """Export trained style-transfer networks for phones, and prove each file right."""
