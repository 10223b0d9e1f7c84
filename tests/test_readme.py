"""The commands and links of the README are real."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import click
import pytest

from styleexport.__main__ import main
from styleexport.cli import cli
from styleexport.core.assets import DEMO_CONTENT, DEMO_STYLE, folder
from tests.zoo import SMALL_BUDGET

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Exports run as written but for these: that of 512x512 takes minutes of CPU.
SMALL = f"--size 64x96 --budget '{SMALL_BUDGET}'"


def block(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("```")[1].removeprefix("bash\n")


def run(arguments: list[str], monkeypatch) -> int:
    monkeypatch.setattr(sys, "argv", ["styleexport", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.slow
def test_the_five_lines_run_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder() / DEMO_CONTENT, "photo.jpg")
    shutil.copy(folder() / DEMO_STYLE, "painting.jpg")
    lines = block("Five lines").strip().splitlines()
    assert len(lines) == 5
    lines[0] += f" {SMALL}"
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "styleexport"
        assert run(arguments, monkeypatch) == 0
    assert Path("painted.png").exists()
    assert Path("softer.png").exists()


COMMANDS = [
    line.removeprefix("styleexport ")
    for page in (README, *(p.read_text(encoding="utf-8") for p in ROOT.glob("docs/guides/*.md")))
    for part in (*re.findall(r"```bash\n(.*?)```", page, re.DOTALL), *re.findall("`(.*?)`", page))
    for line in part.splitlines()
    if line.startswith("styleexport ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_option_in_the_readme_exists(line):
    name, *arguments = shlex.split(line)
    command = cli.get_command(None, name)
    assert command is not None
    if isinstance(command, click.Group):
        nested = getattr(command, "commands", {}).get(next(iter(arguments), ""))
        command = nested or command.get_command(click.Context(command), "")
        assert command is not None, line
    known = {option for parameter in command.params for option in parameter.opts}
    for argument in arguments:
        if re.match("-[^0-9]", argument):  # a range of pixels may begin below 0
            assert argument in known


def test_every_command_has_help_with_an_example_and_json():
    for name in cli.list_commands(None):
        command = cli.get_command(None, name)
        assert command.epilog is not None
        assert "styleexport " in command.epilog, name
        assert command.help or command.short_help
        leaves = getattr(command, "commands", {name: command}).values()
        for leaf in leaves:
            assert any("--json" in p.opts for p in leaf.params), name


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()


@pytest.mark.slow
def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder() / DEMO_CONTENT, "photo.jpg")
    shutil.copy(folder() / DEMO_STYLE, "painting.jpg")
    code = README.split("```python\n")[1].split("```")[0]
    assert code.count("size=512") == 1
    small = code.replace("size=512", f"size='64x96', budget='{SMALL_BUDGET}'")
    exec(compile(small, "README", "exec"), {})
    assert "measured_db" in capsys.readouterr().out
    assert Path("painted.png").exists()
