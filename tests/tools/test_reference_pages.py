"""The pages of the reference are those of the code, and nothing in them lacks a description."""

from __future__ import annotations

import json

import click
import pytest

import styleexport
from styleexport.cli import cli
from styleexport.core import plugins
from styleexport.exporter.targets._target import PACKAGE as TARGETS
from tools.reference_pages.__main__ import DOCS
from tools.reference_pages.commands import commands, options
from tools.reference_pages.docstrings import markdown, parse
from tools.reference_pages.pages import all_pages, is_made
from tools.reference_pages.python_api import members, public_names
from tools.reference_pages.schemas import DOCUMENTS, definitions, undescribed

COMMANDS = [pair for name in cli.list_commands(click.Context(cli)) for pair in commands(name)]


def test_the_pages_are_those_of_the_code():
    written = {
        str(path.relative_to(DOCS)): text
        for path in DOCS.rglob("*.md")
        if is_made(text := path.read_text(encoding="utf-8"))
    }
    assert written == all_pages(), "type `make pages`"


@pytest.mark.parametrize(("call", "command"), COMMANDS, ids=[call for call, _ in COMMANDS])
def test_every_option_is_described(call, command):
    assert command.help
    for option in options(command):
        assert option.help, f"{call} {option.opts[0]} has no help"


@pytest.mark.parametrize("name", public_names())
def test_every_public_name_is_described(name):
    value = getattr(styleexport, name)
    assert value.__doc__
    for member, function in members(value) if isinstance(value, type) else ():
        assert function.__doc__, f"{name}.{member}"


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_field_of_a_file_is_described(path):
    schema = json.loads(DOCUMENTS[path][1]())
    assert [field for pair in definitions(schema) for field in undescribed(*pair)] == []


def test_every_target_has_a_page():
    made = all_pages()
    for name in plugins.names(TARGETS):
        assert f"targets/{name}.md" in made
        assert f"[{name}]({name}.md)" in made["targets/README.md"]


def test_docstrings_become_markdown():
    docstring = parse(
        """Return <a> of ``b``.

        More.

        Args:
            one: the first,
                continued.
            *rest: the others.

        Raises:
            ValueError: never.
        """
    )
    assert docstring.summary == "Return &lt;a&gt; of `b`."
    assert docstring.body == "More."
    assert docstring.sections == {
        "Args": {"one": "the first, continued.", "rest": "the others."},
        "Raises": {"ValueError": "never."},
    }
    assert markdown("a * b, ``c * d``") == r"a \* b, `c * d`"
    assert parse(None).text == ""
