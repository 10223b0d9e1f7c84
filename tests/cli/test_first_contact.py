"""First contact: the help, its groups and examples, and suggestions for wrong names."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from styleexport.cli import PACKAGE, SECTIONS, cli
from styleexport.core import plugins

HELP_SECONDS = 0.25


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and sub-command with what is typed to call it."""
    root = click.Context(cli)
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        yield name, command
        for child, nested in getattr(command, "commands", {}).items():
            yield f"{name} {child}", nested


def test_no_words_print_the_help_and_end_with_0(call):
    code, out, err = call()
    assert (code, err) == (0, "")
    assert out == call("--help")[1]
    assert out.startswith("Usage: styleexport [OPTIONS] COMMAND")


@pytest.mark.parametrize("group", ["harness", "styles"])
def test_a_group_alone_prints_its_help(call, group):
    code, out, err = call(group)
    assert (code, err) == (0, "")
    assert out == call(group, "--help")[1]


def test_the_help_lists_every_command_once_in_its_section(call):
    lines = call("--help")[1].splitlines()
    listed: dict[str, list[str]] = {}
    for line in lines:
        if line.rstrip(":").lower() in SECTIONS:
            listed[line.rstrip(":").lower()] = section = []
        elif listed and line.startswith("  ") and not line.startswith("  Example"):
            section.append(line.split()[0])
    assert tuple(listed) == SECTIONS
    assert sorted(name for names in listed.values() for name in names) == list(
        plugins.names(PACKAGE)
    )
    assert "compare" in listed["check"]
    assert not [line for line in lines if line.endswith("...") and "ARGS" not in line]


def test_the_help_costs_little():
    command = [sys.executable, "-m", "styleexport", "--help"]
    spent: list[float] = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < HELP_SECONDS


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["onx"], ["unknown command 'onx': expected one of bench, compare", "did you mean onnx?"]),
        (["verfy", "x"], ["did you mean verify?"]),
        (["harness", "synch"], ["unknown command 'synch'", "expected one of sync", "mean sync?"]),
        (
            ["styles", "packs", "x"],
            ["expected one of add, blend, list, pack", "did you mean pack?"],
        ),
        (
            ["bench", "cmpare", "a.json", "b.json"],
            ["unknown command 'cmpare': expected compare or the folder", "did you mean compare?"],
        ),
    ],
)
def test_a_wrong_command_gets_a_suggestion(call, words, parts):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert [part for part in parts if part not in err] == []


def test_a_folder_that_is_called_almost_like_a_command_is_an_artifact(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compares").mkdir()
    code, _, err = call("bench", "compares")
    assert code == 2
    assert "compares" in err
    assert "unknown command" not in err


def test_bench_goes_by_its_own_name_and_lists_compare(call):
    out = call("bench", "--help")[1]
    assert out.startswith("Usage: styleexport bench [OPTIONS] ARTIFACT...")
    assert "\n  compare  Compare latency reports." in out
    code, _, err = call("bench")
    assert code == 2
    assert err == "error: Missing argument 'ARTIFACT...'; try `styleexport bench --help`\n"
    assert call("bench", "compare", "-h")[1].startswith(
        "Usage: styleexport bench compare [OPTIONS]"
    )


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_help_is_a_sentence_with_an_example(name, command):
    first = (command.help or "").split("\n")[0]
    assert first[0].isupper() and first.endswith((".", ":")), first
    assert f"styleexport {name.split()[0]}" in (command.epilog or "")
    nested = isinstance(command, click.Group)
    for parameter in [] if nested else command.params:
        if isinstance(parameter, click.Option):
            text = parameter.help or ""
            assert text, parameter.opts
            assert text.split()[0] not in ("Of", "To", "What", "Which", "Whose", "Its"), text
            assert "None" not in str(parameter.get_help_record(click.Context(command))), text
