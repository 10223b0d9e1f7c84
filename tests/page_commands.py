"""Commands on Markdown pages: found, checked against click, and run with what they print.

A fenced block of ``bash`` is run, unless the line above it, or one of the first lines of the page,
says ``<!-- not run: REASON -->``; then its command lines are only checked. A block of ``text``
behind it is what it prints: numbers may differ, and ``…`` stands for any text, alone for any
lines. A block of Python with a title is a file.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from styleexport.__main__ import main
from styleexport.cli import cli
from styleexport.cli._types import NETWORK, Existing

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
# With its sign, as re.escape leaves it.
NUMBER = re.compile(r"(?:\\?[+-])?\d[\d.,]*")
# Lines that only a slow machine prints.
SLOW = re.compile(r": \d+ s so far$|, \d+ s left$")
ANY = "…"
# Pages whose blocks all share a reason say it here, within so many lines.
HEAD = 4


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: ``bash``, ``text``, ``python`` or another.
        title: of a block that is a file; "" of others.
        code: its lines.
        not_run: why it is not run; "" where it is.
    """

    language: str
    title: str
    code: str
    not_run: str

    @property
    def lines(self) -> list[str]:
        """Its command lines: continued ones joined, those joined by && apart, without comments."""
        joined = re.split(r"\n| && ", self.code.replace("\\\n", " "))
        return [line for line in joined if line.strip() and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    of_page = NOT_RUN.search("\n".join(page.splitlines()[:HEAD]))
    found: list[Block] = []
    for match in FENCE.finditer(page):
        above = page[: match.start()].rstrip().rpartition("\n\n")[2]
        mark = of_page or NOT_RUN.fullmatch(above)
        title = TITLE.search(match[2])
        reason = mark[1] if mark else ""
        found.append(Block(match[1], title[1] if title else "", match[3], reason))
    return found


def calls(page: str) -> list[str]:
    """Return the command lines of styleexport on a page."""
    bash = (block for block in blocks(page) if block.language == "bash")
    return [line for b in bash for line in b.lines if line.startswith("styleexport ")]


def check_call(line: str) -> None:
    """Check that click takes a command line: its command, options, and values that name no file."""
    context = click.Context(cli, info_name="styleexport")
    words = shlex.split(line, comments=True)[1:]
    arguments = [word for word in words if not re.fullmatch(r"\$\w+", word)]
    is_whole = arguments == words  # a variable of the shell may hold what is required
    while isinstance(context.command, click.Group):
        name, command, arguments = context.command.resolve_command(
            context, _named(context, arguments)
        )
        assert command is not None, line
        context = click.Context(command, info_name=name, parent=context)
    values, left, order = context.command.make_parser(context).parse_args(list(arguments))
    assert not left, f"{line}: click takes no {left}"
    given = {parameter.name for parameter in order}
    for parameter in context.command.params:
        value = values.get(parameter.name or "")
        # A missing argument is among the given ones, as click's own sentinel or, before 8.3, None.
        if parameter.name not in given or not isinstance(value, str | bool | int | list | tuple):
            assert not (parameter.required and is_whole), f"{line}: no {parameter.name}"
        elif (
            not isinstance(parameter.type, Existing | click.Path) and parameter.type is not NETWORK
        ):
            parameter.type_cast_value(context, value)


def _named(context: click.Context, arguments: list[str]) -> list[str]:
    """Return arguments with the empty name of a group's default command, as the group adds it."""
    commands = getattr(context.command, "commands", {})
    default = hasattr(context.command, "default") and arguments[0] not in commands
    return ["", *arguments] if default else arguments


def run_page(page: str, patch: pytest.MonkeyPatch) -> None:
    """Run the blocks of a page in the current folder, and compare what they print."""
    printed: str | None = None
    failed = False
    with _own_modules():
        for block in blocks(page):
            if block.title:
                Path(block.title).write_text(block.code, encoding="utf-8")
            elif block.language == "text" and printed is not None:
                compare(block.code, printed)
                printed, failed = None, failed and "error: " not in block.code
            elif block.language == "bash":
                assert not failed, printed  # and the page does not say so
                runs = [run(line, patch) for line in ([] if block.not_run else block.lines)]
                printed = "".join(text for text, _ in runs) if runs else None
                failed = any(code for _, code in runs)
    assert not failed, printed


@contextlib.contextmanager
def _own_modules() -> Iterator[None]:
    """Import from the page's folder, as scripts in it do, and forget its modules at the end."""
    path, before = list(sys.path), set(sys.modules)
    here = str(Path.cwd())
    sys.path.insert(0, here)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(here):
            del sys.modules[name]


def run(line: str, patch: pytest.MonkeyPatch) -> tuple[str, int]:
    """Run one command line in this process; return what it prints, and its exit code."""
    program, *arguments = shlex.split(line, comments=True)
    printed, code = io.StringIO(), 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        if program == "python":
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            assert program == "styleexport", f"{line!r}: mark it as not run"
            patch.setattr(sys, "argv", [program, *arguments])
            with pytest.raises(SystemExit) as end:
                main()
            code = int(end.value.code or 0)
    return printed.getvalue(), code


def compare(expected: str, printed: str) -> None:
    """Compare what a page says is printed with what was: all but numbers, spaces and rules."""
    pattern = r"\n".join(map(_pattern, expected.strip().splitlines()))
    lines = [line for line in printed.splitlines() if line.strip() and not _of_the_machine(line)]
    actual = "\n".join(" ".join(line.split()) for line in lines)
    pattern = pattern.replace(rf"{ANY}\n", r"(?:.*\n)*?").replace(rf"\n{ANY}", r"(?:\n.*)*?")
    assert re.fullmatch(pattern, actual), f"expected:\n{expected}\nprinted:\n{printed}"


def _pattern(line: str) -> str:
    if line.strip() == ANY:
        return ANY
    words = re.escape(" ".join(line.split())).replace(r"\ ", " ").replace(r"\.", ".")
    return NUMBER.sub(lambda _: r"[+-]?\d[\d.,]*", words).replace(ANY, ".*")


def _of_the_machine(line: str) -> bool:
    """Whether a line says how busy the machine is, or that a step takes long."""
    return line.startswith("note: the load average") or bool(SLOW.search(line))
