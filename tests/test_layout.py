"""The shape of the project: who imports whom, what is packaged, what the front door costs."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import styleexport
from styleexport.core.versions import EXTRAS, TESTED

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "core": {"core"},
    "models": {"core", "models"},
    "runtime_bench": {"core", "runtime_bench"},
    "exporter": {"core", "models", "runtime_bench", "exporter"},
}
HEAVY = {"torch", "onnx", "onnxruntime", "onnxscript", "numpy", "PIL", "safetensors"}


def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def room_files(room: str) -> list[Path]:
    folder = ROOT / ("styleexport/core" if room == "core" else room)
    return sorted(folder.rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_rooms_import_only_the_rooms_below(room):
    for path in room_files(room):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "styleexport" and len(parts) > 1:
                assert parts[1] in ALLOWED[room], f"{path} imports {name}"
            assert parts[0] != "tools", f"{path} imports {name}"


def test_every_package_is_listed_for_the_wheel():
    listed = set(config()["options"]["packages"].split())
    folders = [
        ROOT / "styleexport",
        *(ROOT / room for room in ("exporter", "models", "runtime_bench")),
    ]
    present = set()
    for folder in folders:
        for init in folder.glob("**/__init__.py"):
            if init.parent.is_relative_to(ROOT / "styleexport") and any(
                parent.is_symlink() for parent in (init.parent, *init.parent.parents)
            ):
                continue
            name = ".".join(init.parent.relative_to(ROOT).parts)
            present.add(name if name.startswith("styleexport") else f"styleexport.{name}")
    assert present == listed


def test_links_lead_to_the_rooms():
    for room in ("exporter", "models", "runtime_bench"):
        assert (ROOT / "styleexport" / room).resolve() == ROOT / room


def test_constraints_say_what_doctor_says():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    for packages in (TESTED, *EXTRAS.values()):
        for name, version in packages.items():
            assert pins[name] == version


def test_every_requirement_is_constrained():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    options = config()["options"]["install_requires"].split()
    extras = config()["options.extras_require"]
    wanted = [*options, *(line for key in extras if key != "all" for line in extras[key].split())]
    for requirement in wanted:
        name = re.split("[=>]=", requirement)[0]
        assert f"\n{name}==" in f"\n{lines}", requirement


def test_public_names_are_complete_and_import():
    assert sorted(styleexport.__all__) == sorted(set(styleexport.__all__))
    for name in styleexport.__all__:
        assert getattr(styleexport, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = styleexport.nothing


@pytest.mark.parametrize(
    "code",
    [
        "import styleexport",
        "import sys; sys.argv = ['styleexport', '--help']\n"
        "from styleexport.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass",
    ],
)
def test_front_door_loads_no_heavy_library(code):
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}
    assert not loaded & HEAVY


def test_no_file_names_a_machine_or_a_registry():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".cfg", ".txt", ".json") and path.is_file():
            text = path.read_text(encoding="utf-8")
            for word in ("/" + "root/", "/" + "work/", "index" + "-url", "find" + "-links"):
                assert word not in text, f"{name} names {word}"
