"""Environments of their own, made with a tool of ten lines from a folder: no registry is asked."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from styleexport.core import environments
from styleexport.core.environments import TOOLS, Environment, Tool, find, make, place, run
from styleexport.core.errors import DeviceError, MissingExtra, UsageError
from styleexport.runtime_bench.runners.emulated_aarch64 import prepare

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PROBE = "import os, sys, tinytool; print(tinytool.NAME, sys.path, sorted(os.environ))"


def tiny(
    wheels: Path, version: str = "1.0", check: str = "import tinytool", sha256: str = ""
) -> dict[str, Tool]:
    sha256 = sha256 or hashlib.sha256(next(wheels.glob("*.whl")).read_bytes()).hexdigest()
    requirements = f"tinytool=={version} --hash=sha256:{sha256}\n"
    return {"tinytool": Tool("1.0", requirements, (PYTHON,), ("-c", check))}


def write_wheel(folder: Path) -> None:
    info = "tinytool-1.0.dist-info"
    with zipfile.ZipFile(folder / "tinytool-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinytool.py", "NAME = 'tiny'\n")
        # What needs another Python and other libraries is installed all the same.
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tinytool\nVersion: 1.0\n"
            "Requires-Python: >=3.99\nRequires-Dist: no-such-library\n",
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    write_wheel(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory, wheels):
    """One environment, made once, and the lines that told of it; tests leave it complete."""
    root = tmp_path_factory.mktemp("envs")
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environments, "TOOLS", tiny(wheels))
        patch.setenv("STYLEEXPORT_ENVS", str(root))
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(wheels))
        patch.setenv("PYTHONPATH", "/no/such/folder")
        return make("tinytool", told.append), told


@pytest.fixture(scope="module")
def empty(made, tmp_path_factory):
    """An environment with pip alone: a copy of the made one without what was installed."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    shutil.copytree(made[0].folder, folder, symlinks=True, ignore=shutil.ignore_patterns("tiny*"))
    (folder / environments.STAMP).unlink()
    return folder


@pytest.fixture
def ready(made, empty, monkeypatch, wheels):
    """The made environment where `find` looks, and pip kept from the registry.

    Others start as copies of an empty one: four fifths of the time goes into installing pip.
    """
    step = environments._step

    def copy_or_run(environment, command, *others):
        if command[1:3] == ["-m", "venv"]:
            shutil.copytree(empty, environment.folder, symlinks=True, dirs_exist_ok=True)
        else:
            step(environment, command, *others)

    monkeypatch.setattr(environments, "_step", copy_or_run)
    monkeypatch.setattr(environments, "TOOLS", tiny(wheels))
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(made[0].folder.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return made[0]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=list(TOOLS))
def test_every_requirement_is_exact_and_has_its_sha256(tool):
    assert PYTHON in tool.pythons
    check_hashed(tool.requirements)


def test_so_is_that_of_the_emulated_machine():
    check_hashed(prepare.WHEELS.read_text())


def check_hashed(requirements: str) -> None:
    """Check that a requirements file names exact versions, each with the hashes of its wheels."""
    lines = requirements.replace("\\\n", " ").splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9\-]+==[0-9.]+( +--hash=sha256:[0-9a-f]{64})+", line.strip())


def test_the_place_follows_the_variables(monkeypatch):
    name = f"onnx2tf-{TOOLS['onnx2tf'].version}-py{PYTHON}"
    monkeypatch.setenv("STYLEEXPORT_ENVS", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert place("onnx2tf") == Path("/a", name).absolute()
    monkeypatch.delenv("STYLEEXPORT_ENVS")
    assert place("onnx2tf") == Path("/b/styleexport/envs", name).absolute()
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert place("onnx2tf") == Path.home() / ".cache/styleexport/envs" / name


def test_a_missing_environment_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    with pytest.raises(
        MissingExtra, match=r"not there at .*`styleexport doctor --make-env onnx2tf`"
    ):
        find("onnx2tf")


def test_an_unknown_tool_is_refused():
    for function in (find, make, place):
        with pytest.raises(UsageError, match=r"unknown environment 'nix': expected one of onnx2tf"):
            function("nix")


def test_another_python_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    monkeypatch.setattr(environments, "TOOLS", {"old": Tool("1", "old==1", ("3.8",), ())})
    with pytest.raises(DeviceError, match=rf"old is tested with Python 3\.8, this is {PYTHON}"):
        make("old")
    assert list(tmp_path.iterdir()) == []


def test_made_once_it_is_found(made, ready):
    environment, told = made
    assert find("tinytool") == environment == Environment("tinytool", place("tinytool"))
    assert told[0].startswith("tinytool: making ")
    assert any("Installing collected packages: tinytool" in line for line in told)
    before = environment.folder.stat().st_ino
    told.clear()
    assert make("tinytool", told.append) == environment
    assert told == [f"tinytool: trying {environment.folder}"]
    assert environment.folder.stat().st_ino == before


def test_it_runs_apart_from_our_libraries(ready, monkeypatch, tmp_path):
    (tmp_path / "tinytool.py").write_text("NAME = 'ours'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run(ready, ("-c", PROBE), tmp_path, 60)
    assert done.code == 0, done.output
    assert done.output.startswith("tiny ")
    assert str(tmp_path) not in done.output
    assert "PYTHON" not in done.output
    fail = "import sys; print('what went wrong', file=sys.stderr); sys.exit(3)"
    failed = run(ready, ("-c", fail), tmp_path, 60)
    assert (failed.code, failed.output) == (3, "what went wrong\n")


def test_a_run_that_takes_too_long_is_ended(ready, tmp_path):
    with pytest.raises(TimeoutError, match=r"tinytool took longer than 0\.5 s"):
        run(ready, ("-c", "import time; time.sleep(60)"), tmp_path, 0.5)


@pytest.mark.parametrize("stamp", [None, "", "tinytool==0.9\n"])
def test_an_incomplete_environment_is_not_found(ready, stamp):
    path = ready.folder / environments.STAMP
    whole = path.read_text()
    path.unlink()
    try:
        if stamp is not None:
            path.write_text(stamp)
        with pytest.raises(MissingExtra, match=r"not complete at .*--make-env tinytool`"):
            find("tinytool")
    finally:
        path.write_text(whole)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["stamp", "tool"])
def test_an_environment_that_is_broken_is_made_anew(ready, broken):
    rest = ready.folder / "rest-of-the-old-one"
    rest.touch()
    if broken == "stamp":
        (ready.folder / environments.STAMP).unlink()
    else:
        next(ready.folder.rglob("tinytool.py")).unlink()
    assert make("tinytool") == ready
    assert not rest.exists()
    assert find("tinytool") == ready


@pytest.mark.slow
def test_a_failed_install_leaves_nothing(ready, monkeypatch, tmp_path, wheels):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    monkeypatch.setattr(environments, "TOOLS", tiny(wheels, "2.0"))
    with pytest.raises(
        DeviceError, match=r"No matching distribution .*tinytool==2\.0.*pip's config"
    ):
        make("tinytool")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_wheel_that_was_exchanged_is_not_installed(ready, monkeypatch, tmp_path, wheels):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    monkeypatch.setattr(environments, "TOOLS", tiny(wheels, sha256="0" * 64))
    with pytest.raises(DeviceError, match=r"HASH|hash|Got +[0-9a-f]{64}"):
        make("tinytool")
    assert list(tmp_path.iterdir()) == []


def test_another_folder_at_its_place_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    (tmp_path / place("onnx2tf").name).mkdir()
    (place("onnx2tf") / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="is not a virtual environment, so it is kept"):
        make("onnx2tf")
    assert (place("onnx2tf") / "thesis.txt").read_text() == "precious"


@pytest.mark.slow
def test_a_tool_that_does_not_run_leaves_nothing(ready, monkeypatch, tmp_path, wheels):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    monkeypatch.setattr(environments, "TOOLS", tiny(wheels, check="import a_missing_part"))
    with pytest.raises(DeviceError, match=r"No module named 'a_missing_part'; report it"):
        make("tinytool")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path / "file"))
    with pytest.raises(DeviceError, match=r"cannot make .*set STYLEEXPORT_ENVS to another folder"):
        make("onnx2tf")
