"""Types as signature files write them, to descriptors and generic signatures of class files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

PRIMITIVES = {
    "void": "V",
    "boolean": "Z",
    "byte": "B",
    "char": "C",
    "short": "S",
    "int": "I",
    "long": "J",
    "float": "F",
    "double": "D",
}
OBJECT = "java/lang/Object"


class BadSignature(Exception):
    """A signature file says what is not understood, in one line."""


@dataclass(frozen=True)
class Scope:
    """Meaning of names in one scope.

    Attributes:
        known: every class of all signature files, ``package.Outer.Inner`` → internal name.
        variables: type variable → its first bound's erasure, as a descriptor.
        others: classes that a signature names and no file holds; they are collected here.
    """

    known: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    used: set[str] = field(default_factory=set[str])

    def internal(self, name: str) -> str:
        """Return the internal name of a class."""
        for full in (name, f"java.lang.{name}"):
            if full in self.known:
                self.used.add(self.known[full])
                return self.known[full]
        raise BadSignature(f"no class {name}")

    def descriptor(self, text: str) -> str:
        """Return the descriptor of a type, erased."""
        text = _as_array(text)
        depth = text.count("[]")
        bare = without_arguments(text).replace("[]", "").strip()
        if bare in PRIMITIVES:
            return "[" * depth + PRIMITIVES[bare]
        if bare in self.variables:
            return "[" * depth + self.variables[bare]
        if self._is_undeclared(bare):
            return "[" * depth + f"L{OBJECT};"
        return "[" * depth + f"L{self.internal(bare)};"

    def signature(self, text: str) -> str:
        """Return the generic signature of a type."""
        text = _as_array(text).strip()
        if text.endswith("[]"):
            return "[" + self.signature(text[:-2])
        if text == "?":
            return "*"
        if match := re.match(r"\?\s+(extends|super)\s+(.*)", text):
            return ("+" if match[1] == "extends" else "-") + self.signature(match[2])
        if text in PRIMITIVES:
            return PRIMITIVES[text]
        if text in self.variables:
            return f"T{text};"
        if self._is_undeclared(text):
            return f"L{OBJECT};"
        name, arguments = split_arguments(text)
        inside = "".join(
            "*" if self._is_undeclared(argument) else self.signature(argument)
            for argument in arguments
        )
        return f"L{self.internal(name)}{f'<{inside}>' if inside else ''};"

    def _is_undeclared(self, name: str) -> bool:
        """Whether a name is a type variable that its line does not declare: some do not."""
        return re.fullmatch("[A-Z]", name) is not None and name not in self.variables

    def within(self, parameters: str) -> tuple[Scope, str]:
        """Return the scope inside ``<T extends A & B, S>``, and its generic signature."""
        if not parameters:
            return self, ""
        declared = [
            (*(re.split(r"\s+extends\s+", p, maxsplit=1)), "")[:2] for p in split_list(parameters)
        ]
        variables = dict(self.variables) | {name: f"L{OBJECT};" for name, _ in declared}
        scope = Scope(self.known, variables, self.used)
        text = ""
        for name, bound in declared:
            bounds = [part.strip() for part in bound.split(" & ")] if bound else []
            if bounds:
                variables[name] = scope.descriptor(bounds[0])
            text += f"{name}:" + (
                ":".join(scope.signature(part) for part in bounds) or f"L{OBJECT};"
            )
        return scope, f"<{text}>"


def is_generic(text: str, variables: Set[str]) -> bool:
    """Whether a type is more than its erasure."""
    return "<" in text or _as_array(text).replace("[]", "").strip() in variables


def split_list(text: str) -> list[str]:
    """Return the parts of a text that commas part, those between brackets left alone."""
    parts, depth, begin = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "<({") - (letter in ">)}")
        if letter == "," and depth == 0:
            parts.append(text[begin:place].strip())
            begin = place + 1
    last = text[begin:].strip()
    return [*parts, last] if last else parts


def split_arguments(text: str) -> tuple[str, list[str]]:
    """Return a class and its type arguments; those of an outer class are dropped."""
    if not text.endswith(">"):
        return without_arguments(text), []
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == ">") - (text[place] == "<")
        if depth == 0:
            return without_arguments(text[:place]), split_list(text[place + 1 : -1])
    raise BadSignature(f"unbalanced: {text}")


def without_arguments(text: str) -> str:
    """Return a type without anything between angle brackets."""
    while "<" in text:
        shorter = re.sub(r"<[^<>]*>", "", text)
        if shorter == text:
            raise BadSignature(f"unbalanced: {text}")
        text = shorter
    return text.strip()


def _as_array(text: str) -> str:
    return text.replace("...", "[]").strip()
