"""Android's signature files, such as ``api/current.txt``, to class files without code.

The format, "Signature format: 2.0", is that of Android's own API checks: packages in braces, in
them classes, in them one constructor, method, field or constant a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tools.android_check.class_file import (
    ABSTRACT,
    ANNOTATION,
    ENUM,
    FINAL,
    INNER,
    INTERFACE,
    PROTECTED,
    PUBLIC,
    STATIC,
    SUPER,
    VARARGS,
    ClassFile,
    Member,
    Value,
)
from tools.android_check.java_types import OBJECT, BadSignature, Scope, is_generic, split_list

_CLASS = re.compile(
    r"(?P<flags>(?:\w+ )*)(?P<kind>class|interface|enum|@interface) (?P<name>[\w.]+)"
    r"(?P<rest>.*?) ?\{"
)
_FLAGS = {
    "public": PUBLIC,
    "protected": PROTECTED,
    "static": STATIC,
    "final": FINAL,
    "abstract": ABSTRACT,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Declared:
    """A class as a signature file declares it, its lines not yet read."""

    package: str
    name: str
    kind: str
    flags: int
    rest: str
    lines: tuple[str, ...]

    @property
    def full(self) -> str:
        """Its name as other lines write it."""
        return f"{self.package}.{self.name}"

    @property
    def internal(self) -> str:
        """Its name in class files."""
        return f"{self.package.replace('.', '/')}/{self.name.replace('.', INNER)}"


def declared(text: str) -> Iterator[Declared]:
    """Yield the classes of a signature file."""
    package, head, lines = "", None, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("//"):
            continue
        if line.startswith("package "):
            package = line.removeprefix("package ").removesuffix("{").strip()
        elif line == "}":
            if head:
                yield _declared(package, head, lines)
            head, lines = None, []
        elif head is None:
            head = _CLASS.search(_without_annotations(line))
            if head is None:
                raise BadSignature(f"line {number}: not a class: {line}")
        else:
            lines.append(line)


def _declared(package: str, head: re.Match[str], lines: list[str]) -> Declared:
    kind = head["kind"]
    flags = _flags(head["flags"])
    flags |= {
        "class": SUPER,
        "enum": SUPER | ENUM | FINAL,
        "interface": INTERFACE | ABSTRACT,
        "@interface": INTERFACE | ABSTRACT | ANNOTATION,
    }[kind]
    return Declared(package, head["name"], kind, flags, head["rest"], tuple(lines))


def class_files(classes: Iterable[Declared]) -> Iterator[ClassFile]:
    """Yield the class file of each class; a class that is declared twice has the lines of both."""
    merged: dict[str, Declared] = {}
    for one in classes:
        held = merged.get(one.full)
        lines = (*(held.lines if held else ()), *one.lines)
        first = held or one
        merged[one.full] = Declared(
            first.package, first.name, first.kind, first.flags, first.rest, lines
        )
    known = {one.full: one.internal for one in merged.values()}
    flags = {one.internal: one.flags for one in merged.values()}
    for one in merged.values():
        try:
            yield _class_file(one, known, flags)
        except BadSignature as error:
            raise BadSignature(f"{one.full}: {error}") from error


def _class_file(one: Declared, known: dict[str, str], flags: dict[str, int]) -> ClassFile:
    used: set[str] = {one.internal}
    parameters, rest = _leading_parameters(one.rest)
    scope, generic = Scope(known, _outer_variables(one, known), used).within(parameters)
    parents, interfaces = _parents(one, rest)
    fields = tuple(
        _field(line, scope) for line in one.lines if line.startswith(("field ", "enum_"))
    )
    methods = tuple(
        _method(line, scope, one) for line in one.lines if line.startswith(("method ", "ctor "))
    )
    parent = scope.internal(parents[0].partition("<")[0]) if parents else ""
    names = tuple(scope.internal(name.partition("<")[0]) for name in interfaces)
    signature = generic + "".join(scope.signature(name) for name in (*parents, *interfaces))
    prefix = f"{one.internal}{INNER}"
    used |= {name for name in flags if name.startswith(prefix) and INNER not in name[len(prefix) :]}
    return ClassFile(
        name=one.internal,
        flags=one.flags & ~(STATIC | PROTECTED) | PUBLIC,
        parent=parent,
        interfaces=names,
        signature=signature if "<" in signature else "",
        fields=fields,
        methods=methods,
        inner=tuple((name, flags[name] & ~SUPER) for name in sorted(_with_outers(used, flags))),
    )


def _with_outers(names: set[str], flags: dict[str, int]) -> set[str]:
    nested: set[str] = set()
    for name in names:
        while INNER in name:
            if name in flags:
                nested.add(name)
            name = name.rpartition(INNER)[0]
    return nested


def _outer_variables(one: Declared, known: dict[str, str]) -> dict[str, str]:
    """An inner class may use the type variables of its outer one; they are erased to Object."""
    inner = "." in one.name and not one.flags & STATIC
    return {name: f"L{OBJECT};" for name in ("T", "E", "K", "V", "S") if inner}


def _parents(one: Declared, rest: str) -> tuple[list[str], list[str]]:
    match = re.fullmatch(r"\s*(?:extends (.*?))??\s*(?:implements (.*?))?\s*", rest)
    if match is None:
        raise BadSignature(f"not understood: {rest}")
    extends, implements = _names(match[1] or ""), _names(match[2] or "")
    if one.kind == "interface":
        return ["java.lang.Object"], extends + implements
    if one.kind == "@interface":
        return ["java.lang.Object"], ["java.lang.annotation.Annotation"]
    if one.kind == "enum":
        return [f"java.lang.Enum<{one.full}>"], implements
    if one.full == "java.lang.Object":
        return [], []
    return extends or ["java.lang.Object"], implements


def _names(text: str) -> list[str]:
    """Return the types of a list that spaces part, those between brackets left alone."""
    parts, depth, current = list[str](), 0, ""
    for letter in text:
        depth += (letter == "<") - (letter == ">")
        if letter in " ," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [part for part in (*parts, current) if part]


def _field(line: str, scope: Scope) -> Member:
    text = _without_annotations(line.partition(" ")[2]).removesuffix(";")
    text, _, constant = text.partition(" = ")
    head, _, name = text.strip().rpartition(" ")
    words, kind = _modifiers(head)
    flags = _flags(words) | (ENUM if line.startswith("enum_constant") else 0)
    signature = scope.signature(kind) if is_generic(kind, scope.variables.keys()) else ""
    value = _value(kind, constant) if flags & STATIC and flags & FINAL else None
    return Member(name, flags, scope.descriptor(kind), signature, value)


def _method(line: str, scope: Scope, owner: Declared) -> Member:
    text = _without_annotations(line.partition(" ")[2]).removesuffix(";")
    head, _, tail = text.partition("(")
    words, head = _modifiers(head)
    parameters, head = _leading_parameters(head)
    inside = tail.rsplit(")", 1)[0]
    inner, generic = scope.within(parameters)
    kind, _, name = head.strip().rpartition(" ")
    if line.startswith("ctor "):
        kind, name = "void", "<init>"
    # Names of parameters are not in these files; "int..." marks variable arguments.
    kinds = split_list(inside)
    flags = _flags(words) | (VARARGS if kinds and kinds[-1].endswith("...") else 0)
    if owner.flags & INTERFACE and not {"default", "static"} & set(words.split()):
        flags |= ABSTRACT
    descriptor = f"({''.join(map(inner.descriptor, kinds))}){inner.descriptor(kind)}"
    signature = ""
    if any(is_generic(one, inner.variables.keys()) for one in (*kinds, kind)) or generic:
        signature = f"{generic}({''.join(map(inner.signature, kinds))}){inner.signature(kind)}"
    return Member(name, flags, descriptor, signature)


def _modifiers(text: str) -> tuple[str, str]:
    match = re.match(
        r"((?:(?:public|protected|static|final|abstract|default|synchronized|native|strictfp|"
        r"transient|volatile) )*)(.*)",
        text.strip() + " ",
    )
    assert match is not None
    return match[1], match[2].strip()


def _flags(words: str) -> int:
    flags = 0
    for word in words.split():
        flags |= _FLAGS.get(word, 0)
    return flags


def _leading_parameters(text: str) -> tuple[str, str]:
    """Return what stands between angle brackets at the beginning, and the rest."""
    text = text.strip()
    if not text.startswith("<"):
        return "", f" {text}"
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "<") - (letter == ">")
        if depth == 0:
            return text[1:place], text[place + 1 :]
    raise BadSignature(f"unbalanced: {text}")


def _without_annotations(line: str) -> str:
    """Return a line without ``@NonNull``, ``@IntRange(from=0)`` or any but ``@interface``."""
    while match := re.search(r"@(?!interface)[\w.]+", line):
        end = match.end()
        if line[end : end + 1] == "(":
            end = _closing(line, end) + 1
        line = (line[: match.start()].rstrip() + " " + line[end:].lstrip()).strip()
    return re.sub(r"([(<]) ", r"\1", line)


def _closing(line: str, begin: int) -> int:
    """Return where the bracket at a place is closed; brackets in texts do not count."""
    depth, quoted = 0, False
    for place in range(begin, len(line)):
        letter = line[place]
        quoted ^= letter == '"' and line[place - 1] != "\\"
        if not quoted:
            depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return place
    raise BadSignature(f"unbalanced: {line}")


def _value(kind: str, text: str) -> Value | None:
    """Return a constant; None where there is none, or none that a compiler would need."""
    text = text.partition("; //")[0].strip()
    readers: dict[str, tuple[int, Callable[[str], int | float | str]]] = {
        "int": (3, int),
        "short": (3, int),
        "byte": (3, int),
        "char": (3, int),
        "boolean": (3, lambda one: int(one == "true")),
        "float": (4, lambda one: float(one[:-1])),
        "long": (5, lambda one: int(one.rstrip("L"))),
        "double": (6, float),
        "String": (8, _text),
        "java.lang.String": (8, _text),
    }
    if not text or text == "null" or kind not in readers:
        return None
    tag, read = readers[kind]
    try:
        return Value(tag, read(text))
    except ValueError:  # such as (0.0/0.0): what is not a number
        return None


def _text(quoted: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] == "u" else _ESCAPES.get(code, code)

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", plain, quoted[1:-1])
