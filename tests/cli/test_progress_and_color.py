"""What a command prints where: results, progress, remarks and errors."""

from __future__ import annotations

import io
import sys
import time

import click
import pytest

from styleexport.cli import _terminal, cli
from styleexport.cli._output import output_options
from styleexport.cli._terminal import TERMINAL, Terminal
from styleexport.core.counted import Tally


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.end()


def test_loops_are_lines_every_five_seconds_where_there_is_no_terminal(
    terminal, capsys, monkeypatch
):
    terminal.begin("onnx")
    terminal.talk("capture")
    terminal.talk(Tally("pictures", 1, 9, 1.0))
    monkeypatch.setattr(_terminal, "EVERY", 0.0)
    terminal.talk(Tally("pictures", 2, 9, 2.0))
    terminal.talk(Tally("pictures", 9, 9, 9.0))
    assert capsys.readouterr().err.splitlines() == [
        "capture",
        "pictures: 2 of 9, 1.0 s each, 7 s left",
    ]


def test_silence_is_broken_by_what_is_at_work(terminal, capsys, monkeypatch):
    monkeypatch.setattr(_terminal, "SILENCE", 0.1)
    terminal.begin("onnx")
    terminal.talk("capture")
    time.sleep(1.3)
    terminal.end()
    time.sleep(1.1)
    assert capsys.readouterr().err.splitlines() == ["capture", "capture: 1 s so far"]


def test_a_library_that_is_kept_quiet_does_not_hide_progress(terminal, capsys, monkeypatch):
    terminal.begin("onnx")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    terminal.talk("capture")
    assert capsys.readouterr().err == "capture\n"


def test_a_quiet_command_prints_results_and_errors(terminal, capsys):
    terminal.verbosity = -1
    terminal.begin("onnx")
    terminal.talk("capture")
    terminal.say("artifact: a")
    terminal.complain("no such file")
    assert capsys.readouterr() == ("artifact: a\n", "error: no such file\n")


def test_details_and_times_are_printed_when_asked_for(terminal, capsys):
    terminal.detail("torch 2")
    terminal.verbosity = 1
    terminal.begin("onnx")
    terminal.detail("torch 2")
    assert capsys.readouterr().err == "[   0.0 s] torch 2\n"


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_that_goes_when_the_loop_ends(terminal, monkeypatch):
    screen = _Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    terminal.color = "never"
    terminal.begin("onnx")
    terminal.talk("capture")
    for done in (3, 9):
        terminal.talk(Tally("pictures", done, 9, 1.0 * done))
        time.sleep(0.15)
    terminal.end()
    printed = screen.getvalue()
    assert "3/9" in printed
    assert "6 s left" in printed
    assert "\x1b[?25h" in printed  # the cursor is shown again
    assert sys.stderr is screen


@pytest.mark.parametrize(
    ("color", "variable", "expected"),
    [("auto", "", True), ("auto", "1", False), ("always", "1", True), ("never", "", False)],
)
def test_color(terminal, monkeypatch, color, variable, expected):
    monkeypatch.setenv("NO_COLOR", variable)
    terminal.color = color
    assert terminal.colors(True) is expected
    assert terminal.colors(False) is (color == "always")


@pytest.mark.parametrize(
    ("words", "verbosity", "color"),
    [
        ("networks", 0, "auto"),
        ("-q networks", -1, "auto"),
        ("networks -q", -1, "auto"),
        ("-v networks", 1, "auto"),
        ("-vv networks", 2, "auto"),
        ("networks -v --color never", 1, "never"),
        ("--color always networks", 0, "always"),
    ],
)
def test_options_go_before_a_command_or_after_it(words, verbosity, color, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(TERMINAL, "begin", lambda _: None)
    monkeypatch.setattr(TERMINAL, "document", lambda *_, **__: None)
    monkeypatch.setattr(TERMINAL, "end", lambda: seen.append((TERMINAL.verbosity, TERMINAL.color)))
    cli.main(words.split(), standalone_mode=False)
    assert seen[-1] == (verbosity, color)


def test_every_command_has_them_once(monkeypatch):
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = output_options(cli.get_command(context, name))
        options = [x for parameter in command.params for x in parameter.opts]
        for option in ("--verbose", "--quiet", "--color"):
            assert options.count(option) == 1, (name, option)
