"""The environments that `styleexport doctor` shows and makes."""

from __future__ import annotations

import json
import sys

import pytest

from styleexport.__main__ import main
from styleexport.core import environments
from styleexport.core.environments import Environment, Tool
from styleexport.core.errors import DeviceError


@pytest.fixture
def doctor(monkeypatch, capfd, tmp_path):
    """Run `styleexport doctor` with an empty cache: exit code, stdout, stderr."""
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["styleexport", "doctor", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def complete():
    """The folder of onnx2tf with what makes it look complete."""
    folder = environments.place("onnx2tf")
    python = Environment("onnx2tf", folder).python
    python.parent.mkdir(parents=True)
    python.touch()
    (folder / environments.STAMP).write_text(environments._contents("onnx2tf"))
    return folder


def test_it_says_how_to_make_an_environment(doctor):
    code, out, _ = doctor()
    assert code == 0
    assert "not made (optional): styleexport doctor --make-env onnx2tf\n" in out
    (row,) = json.loads(doctor("--json")[1])["environments"]
    assert (row["tool"], row["folder"]) == ("onnx2tf", None)
    assert row["remedy"] == "styleexport doctor --make-env onnx2tf"


def test_it_says_where_an_environment_is(doctor, complete):
    assert f"in an environment of its own: in {complete}\n" in doctor()[1]
    (row,) = json.loads(doctor("--json")[1])["environments"]
    assert (row["folder"], row["remedy"]) == (str(complete), "")


def test_another_beta_is_untested(doctor, monkeypatch):
    from styleexport.cli import doctor as module

    monkeypatch.setattr(module, "_found", lambda name: "1.0.0b4" if "core" in name else "0.4.9")
    rows = {row["library"]: row for row in json.loads(doctor("--json")[1])["libraries"]}
    assert (rows["coreai-core"]["found"], rows["coreai-core"]["tested"]) == ("1.0.0b4", "1.0.0b3")
    assert rows["coreai-core"]["verdict"] == "untested"


def test_it_goes_on_where_there_is_none_for_this_python(doctor, monkeypatch):
    monkeypatch.setattr(environments, "TOOLS", {"old": Tool("1", "old==1", ("3.8",), ())})
    code, out, _ = doctor()
    assert code == 0
    assert "not made (optional): old is tested with Python 3.8" in out


def test_it_makes_only_what_is_named(doctor, monkeypatch, tmp_path):
    def make(tool, report):
        report(f"{tool}: Downloading")
        return Environment(tool, tmp_path / tool)

    monkeypatch.setattr(environments, "make", make)
    code, out, err = doctor("--make-env", "onnx2tf")
    assert (code, out, err) == (0, f"{tmp_path / 'onnx2tf'}\n", "onnx2tf: Downloading\n")
    out = doctor("--make-env", "onnx2tf", "--json")[1]
    assert json.loads(out) == {"tool": "onnx2tf", "folder": str(tmp_path / "onnx2tf")}


def test_nothing_is_made_unasked(doctor, tmp_path):
    doctor()
    doctor("--json")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_environment_is_a_bad_call(doctor):
    code, out, err = doctor("--make-env", "nix")
    assert (code, out) == (2, "")
    assert "unknown environment 'nix': expected one of onnx2tf" in err


def test_a_failure_is_one_line(doctor, monkeypatch):
    def make(tool, report):
        raise DeviceError("no connection")

    monkeypatch.setattr(environments, "make", make)
    assert doctor("--make-env", "onnx2tf") == (4, "", "error: no connection\n")
