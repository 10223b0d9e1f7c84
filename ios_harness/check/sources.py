"""The Swift files of the harness, and what they declare as far as regular expressions see it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HARNESS = Path(__file__).resolve().parent.parent
ROOT = HARNESS.parent
BUILT = {".build", ".swiftpm", "DerivedData"}


@dataclass(frozen=True)
class KeyedStruct:
    """A struct that is read from JSON.

    Attributes:
        keys: JSON name → Swift name.
        types: Swift name → type as it is declared, without a question mark.
        required: Swift names that the reader insists on.
        optional: Swift names that may be left out.
    """

    keys: dict[str, str]
    types: dict[str, str]
    required: frozenset[str]
    optional: frozenset[str]


def swift_files() -> list[Path]:
    """Return every Swift file, in order."""
    found = HARNESS.rglob("*.swift")
    return sorted(path for path in found if not BUILT & set(path.relative_to(HARNESS).parts))


def keyed_structs() -> dict[str, KeyedStruct]:
    """Return name → struct of the library that has coding keys and reads a node by them."""
    texts = [path.read_text(encoding="utf-8") for path in (HARNESS / "Sources").rglob("*.swift")]
    structs: dict[str, KeyedStruct] = {}
    for text in texts:
        keys = re.search(
            r"extension (\w+) \{\n    enum CodingKeys[^{]*\{\n(.*?)\n    \}", text, re.S
        )
        if keys:
            structs[keys[1]] = _struct(keys[2], text)
    return structs


def _struct(cases: str, text: str) -> KeyedStruct:
    keys: dict[str, str] = {}
    for swift, json in re.findall(r'case `?(\w+)`?(?: = "([^"]+)")?', cases):
        keys[json or swift] = swift
    types = dict(re.findall(r"public (?:let|var) `?(\w+)`?: \[*(\w+)", text))
    return KeyedStruct(
        keys=keys,
        types=types,
        required=frozenset(re.findall(r"\.required\(\.(\w+)\)", text)),
        optional=frozenset(re.findall(r"\.optional\(\.(\w+)\)", text)),
    )


def text_enums() -> dict[str, set[str]]:
    """Return name → raw values of every enumeration of texts in the library."""
    enums: dict[str, set[str]] = {}
    for path in (HARNESS / "Sources" / "StyleHarness").rglob("*.swift"):
        text = path.read_text(encoding="utf-8")
        for name, body in re.findall(r"public enum (\w+): String[^{]*\{\n(.*?)\n\}", text, re.S):
            pairs = re.findall(r'case `?(\w+)`?(?: = "([^"]+)")?', body)
            enums[name] = {raw or case for case, raw in pairs}
    return enums
