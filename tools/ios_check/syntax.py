"""Syntax of every Swift file, parsed with tree-sitter's grammar."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.ios_check.outcome import Outcome
from tools.ios_check.sources import ROOT, swift_files

if TYPE_CHECKING:
    from tree_sitter import Node

NAME = "syntax"


def check() -> Outcome:
    """Return whether every file parses, and every `#if` has its `#endif`."""
    files = swift_files()
    faults = [fault for path in files for fault in conditions(path.read_text(encoding="utf-8"))]
    missing = [n for n in ("tree_sitter", "tree_sitter_swift") if not importlib.util.find_spec(n)]
    if missing and not faults:
        command = "pip install tree-sitter tree-sitter-swift"
        return Outcome(NAME, "not possible here", (f"no {' and no '.join(missing)}: {command}",))
    for path in files:
        place = path.relative_to(ROOT)
        faults += [f"{place}:{fault}" for fault in parse_faults(path.read_bytes())]
    return Outcome.of(NAME, faults, f"{len(files)} Swift files parse")


def conditions(text: str) -> list[str]:
    """Return a fault if `#if` and `#endif` are not balanced."""
    opened = len(re.findall(r"^\s*#if\b", text, re.M))
    closed = len(re.findall(r"^\s*#endif\b", text, re.M))
    return [] if opened == closed else [f"{opened} #if and {closed} #endif"]


def parse_faults(source: bytes) -> list[str]:
    """Return the line and node type of every syntax error."""
    import tree_sitter
    import tree_sitter_swift

    # The grammar returns a capsule, which its type stubs declare as an integer.
    grammar = tree_sitter.Language(tree_sitter_swift.language())  # pyright: ignore[reportDeprecated]
    parser = tree_sitter.Parser(grammar)
    return list(_faults(parser.parse(source).root_node))


def _faults(node: Node) -> Iterator[str]:
    if not node.has_error:
        return
    if node.is_error or node.is_missing:
        kind = "missing" if node.is_missing else "unreadable"
        yield f"{node.start_point[0] + 1}: {kind} {node.type}"
        return
    for child in node.children:
        yield from _faults(child)
