"""Reference of the command line: a page for each command, from click."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from styleexport.cli import PACKAGE, SECTIONS, cli
from styleexport.cli._group import DefaultGroup
from styleexport.core import plugins
from tools.reference_pages.docstrings import markdown, one_line


def pages() -> dict[str, str]:
    """Return the text of each page by its path under docs/reference/commands."""
    names = cli.list_commands(click.Context(cli))
    return {"README.md": _index(names)} | {f"{name}.md": _page(name) for name in names}


def commands(name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those inside it, each with what is typed to call it."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    if isinstance(command, DefaultGroup):
        yield name, command.default
    elif not isinstance(command, click.Group):
        yield name, command
    if isinstance(command, click.Group):
        for nested, inner in command.commands.items():
            yield f"{name} {nested}", inner


def options(command: click.Command) -> list[click.Option]:
    """Return the options of a command that its page describes."""
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def _index(names: list[str]) -> str:
    lines = ["# Commands", ""]
    lines += ["`styleexport --help` prints this list, and `styleexport COMMAND --help` a page.", ""]
    for section in SECTIONS:
        lines += [f"## {section.capitalize()}", "", "| command | |", "| --- | --- |"]
        for name in names:
            if plugins.load(PACKAGE, name, "SECTION") != section:
                continue
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            lines.append(f"| [{name}]({name}.md) | {command.get_short_help_str(200)} |")
        lines.append("")
    lines += ["## In front of a command", "", *map(_option, options(cli)), ""]
    return "\n".join(lines)


def _page(name: str) -> str:
    group = cli.get_command(click.Context(cli), name)
    assert group is not None
    found = list(commands(name))
    lines = [f"# {name}", ""]
    if isinstance(group, click.Group) and not isinstance(group, DefaultGroup):
        lines += [*_help(group), *_examples(group)]
    for call, command in found:
        lines += [f"## {call}", ""] if call != name else []
        lines += _command(call, command)
    return "\n".join(lines)


def _command(call: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=f"styleexport {call}", max_content_width=100)
    usage = one_line(context.get_usage()).removeprefix("Usage: ")
    lines = [*_help(command), "```text", usage, "```", "", *_examples(command)]
    return [*lines, "Options:", "", *map(_option, options(command)), ""]


def _help(command: click.Command) -> list[str]:
    """Return the help text as paragraphs; what click must not wrap is a block."""
    lines: list[str] = []
    for paragraph in (command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            lines += ["```text", *paragraph.splitlines()[1:], "```", ""]
        else:
            lines += [markdown(one_line(paragraph)), ""]
    return lines


def _examples(command: click.Command) -> list[str]:
    text = (command.epilog or "").replace("\b", "")
    text = re.sub(r"^\s*Examples?:", "", text)
    calls = [one_line(call) for line in text.splitlines() for call in line.split("  |  ")]
    return ["```bash", *filter(None, calls), "```", ""]


def _option(option: click.Option) -> str:
    """Return an option as an entry of a list: names and value, help, default."""
    names = [f"`{name}`" for name in (*option.opts, *option.secondary_opts)]
    if not option.is_flag and not option.count:
        metavar = option.make_metavar(click.Context(cli))
        choices = re.fullmatch(r"\[([^\[\]]*)\]", metavar)
        names[-1] = f"{names[-1][:-1]} {choices[1] if choices else metavar}`"
    record = option.get_help_record(click.Context(cli))
    text = one_line(record[1] if record else "")
    return f"- {', '.join(names)}: {markdown(text)}"
