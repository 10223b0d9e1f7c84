"""Folders are layers: their imports form a graph without circles, drawn in decision 1."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("exporter", "models", "runtime_bench")
DECISION = ROOT / "docs" / "decisions" / "0001-layout.md"
EDGE = re.compile(r"^(?P<folder>[\w/]+) ->(?P<imports>.*)$", re.MULTILINE)


def _modules() -> dict[str, Path]:
    """Return dotted name → file of every module of the package, each once."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    files += [
        path
        for path in (ROOT / "styleexport").rglob("*.py")
        if not any(parent.is_symlink() for parent in path.parents)
    ]
    modules: dict[str, Path] = {}
    for path in files:
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        parts = parts if parts[0] == "styleexport" else ("styleexport", *parts)
        modules[".".join(parts)] = path
    return modules


MODULES = _modules()


def _folder(name: str) -> str:
    return MODULES[name].parent.relative_to(ROOT).as_posix()


def _imports(node: ast.AST) -> Iterator[str]:
    """Yield the modules that code imports at run time, wherever in the file."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            for alias in child.names:
                full = f"{child.module}.{alias.name}"
                yield full if full in MODULES else child.module
        yield from _imports(child)


@pytest.fixture(scope="module")
def module_graph() -> dict[str, set[str]]:
    """Module → the modules of the package that it imports."""
    return {
        name: {
            imported
            for imported in _imports(ast.parse(path.read_text(encoding="utf-8")))
            if imported in MODULES and imported != name
        }
        for name, path in MODULES.items()
    }


def _folder_graph(module_graph: dict[str, set[str]]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {_folder(name): set() for name in module_graph}
    for name, imports in module_graph.items():
        graph[_folder(name)] |= {_folder(i) for i in imports} - {_folder(name)}
    return graph


def _circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other_in_a_circle(module_graph):
    assert not _circle(module_graph)


def test_no_folders_import_each_other_in_a_circle(module_graph):
    assert not _circle(_folder_graph(module_graph))


def test_folders_import_what_decision_1_draws(module_graph):
    drawn = {
        match["folder"]: set(match["imports"].split())
        for match in EDGE.finditer(DECISION.read_text(encoding="utf-8"))
    }
    measured = _folder_graph(module_graph)
    for folder in sorted(drawn.keys() | measured.keys()):
        assert drawn.get(folder) == measured.get(folder), folder


def test_a_circle_is_noticed():
    assert _circle({"a": {"b"}, "b": {"a"}})
