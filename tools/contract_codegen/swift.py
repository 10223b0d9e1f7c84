"""Swift back end: `Codable` structs and enums whose readers hold every rule of the schemas.

Foundation's decoder is laxer than the schemas. What it lets pass is refused by the reader in
`Contract.swift`, which is written by hand; the code generated here states the rules.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from msgspec import Struct

from tools.contract_codegen.schema_types import (
    Axis,
    Boolean,
    Constant,
    Contract,
    Document,
    EnumRef,
    EnumType,
    Field,
    FieldType,
    Integer,
    ListOf,
    MapOf,
    Nullable,
    Number,
    Pair,
    StructRef,
    StructType,
    Text,
)

FOLDER = "ios_harness/Sources/StyleHarness/Contract"
FILES = {"manifest": "Manifest.swift", "latency": "LatencyReport.swift", "job": "Job.swift"}
# What messages call a document.
TITLES = {"manifest": "manifest", "latency": "report", "job": "job"}
KEYWORDS = frozenset({"default", "in", "operator", "protocol", "static", "where"})
WIDTH = 100
INDENT = " " * 4


def generate(contract: Contract, header: str) -> dict[str, str]:
    """Return path below the repository -> text of every generated Swift file.

    Args:
        contract: what to generate.
        header: comment line that every file begins with, without the comment sign.
    """
    return {
        f"{FOLDER}/{FILES[document.name]}": _file(contract, document, header)
        for document in contract.documents
    }


def _file(contract: Contract, document: Document, header: str) -> str:
    blocks = [f"// {header}", _conformance(document)]
    blocks += ["\n".join(_struct(one)) for one in contract.structs_of(document.name)]
    blocks += ["\n".join(_enum(one)) for one in contract.enums_of(document.name)]
    return "\n\n".join(blocks) + "\n"


def _conformance(document: Document) -> str:
    return (
        f"extension {document.root}: ContractDocument {{\n"
        f'    public static let title = "{TITLES[document.name]}"\n'
        "    /// Version of the schema that is read and written.\n"
        f"    public static let currentVersion = {document.schema_version}\n"
        "}"
    )


def _struct(struct: StructType) -> Iterator[str]:
    yield from _doc(struct.doc, "")
    yield f"public struct {struct.name}: Codable, Hashable, Sendable {{"
    yield from _coding_keys(struct)
    yield ""
    for field in struct.fields:
        yield from _doc(field.doc, INDENT)
        yield f"    public var {_quoted(field.name)}: {_type(field.type)}"
    yield ""
    yield from _initializer(struct)
    yield ""
    yield from _reader(struct)
    if any(field.required and isinstance(field.type, Nullable) for field in struct.fields):
        yield ""
        yield from _writer(struct)
    yield "}"


def _coding_keys(struct: StructType) -> Iterator[str]:
    yield "    enum CodingKeys: String, CodingKey, CaseIterable {"
    for field in struct.fields:
        value = "" if field.name == field.key else f' = "{field.key}"'
        yield f"        case {_quoted(field.name)}{value}"
    yield "    }"


def _initializer(struct: StructType) -> Iterator[str]:
    yield "    public init("
    for index, field in enumerate(struct.fields):
        default = _default(field)
        value = "" if default is None else f" = {default}"
        comma = "," if index + 1 < len(struct.fields) else ""
        yield f"        {field.name}: {_type(field.type)}{value}{comma}"
    yield "    ) {"
    for field in struct.fields:
        yield f"        self.{field.name} = {_quoted(field.name)}"
    yield "    }"


def _reader(struct: StructType) -> Iterator[str]:
    yield "    public init(from decoder: any Decoder) throws {"
    others = "" if struct.closed else ", allowsOtherKeys: true"
    yield f"        let fields = try ContractFields<CodingKeys>(decoder{others})"
    for field in struct.fields:
        yield from _read(field).lines(f"self.{field.name} = try fields.", INDENT * 2)
    if struct.checked:
        yield "        try check(at: fields.path)"
    yield "    }"


def _writer(struct: StructType) -> Iterator[str]:
    """Yield an encoder: the one that Swift synthesizes leaves out nil where the schema has null."""
    yield "    public func encode(to encoder: any Encoder) throws {"
    yield "        var container = encoder.container(keyedBy: CodingKeys.self)"
    for field in struct.fields:
        is_left_out = isinstance(field.type, Nullable) and not field.required
        method = "encodeIfPresent" if is_left_out else "encode"
        yield f"        try container.{method}({_quoted(field.name)}, forKey: .{field.name})"
    yield "    }"


def _enum(enum: EnumType) -> Iterator[str]:
    yield from _doc(enum.doc, "")
    yield f"public enum {enum.name}: String, Codable, CaseIterable, Hashable, Sendable {{"
    for value in enum.values:
        name = _case(value)
        yield f"    case {_quoted(name)}" + ("" if name == value else f' = "{value}"')
    yield "}"


def _read(field: Field) -> _Call:
    """Return the call that reads a field and holds it to its rule."""
    inner = field.type.inner if isinstance(field.type, Nullable) else field.type
    arguments: list[str | _Call] = [f".{field.name}"]
    if isinstance(field.type, Nullable):
        method = "nullable" if field.required else "nullableOrMissing"
    else:
        method = "required" if field.required else "optional"
        arguments += [] if field.required else [f"default: {_literal(field.default, inner)}"]
    rule = _rule(inner)
    return _Call(method, (*arguments, rule) if rule else tuple(arguments))


def _rule(kind: FieldType) -> _Call | str | None:
    """Return the rule of a value beyond its type; None if there is none."""
    match kind:
        case Text():
            pattern = None if kind.pattern is None else f'#"{kind.pattern}"#'
            path = "true" if kind.is_path else None
            return _limits("text", atMost=kind.max_length, pattern=pattern, isPath=path)
        case Integer(minimum, maximum):
            return _limits("integer", atLeast=minimum, atMost=maximum) or ".integer()"
        case Constant(value):
            return _limits("integer", atLeast=value, atMost=value)
        case Axis():
            return ".axis"
        case Number(minimum, maximum):
            return _limits("number", atLeast=minimum, atMost=maximum)
        case ListOf(item, min_items, max_items):
            least = min_items or None
            return _limits("items", atLeast=least, atMost=max_items, each=_rule(item))
        case MapOf(value, key_max_length, max_entries):
            limits = {"atMost": max_entries, "keys": key_max_length}
            return _limits("entries", **limits, each=_rule(value))
        case _:
            return None


def _limits(rule: str, **limits: _Call | str | float | None) -> _Call | None:
    """Return the call of a rule with the limits that are not None; None if all are."""
    arguments: list[str | _Call] = []
    for label, limit in limits.items():
        if isinstance(limit, _Call):
            arguments.append(_Call(f"{label}: {limit.head}", limit.arguments))
        elif limit is not None:
            value = f"{limit:_}" if isinstance(limit, int) else limit
            arguments.append(f"{label}: {value}")
    return _Call(f".{rule}", tuple(arguments)) if arguments else None


class _Call(Struct, frozen=True):
    """A call in Swift.

    Attributes:
        head: what stands before the parenthesis.
        arguments: arguments with their labels.
    """

    head: str
    arguments: tuple[str | _Call, ...]

    def __str__(self) -> str:
        return f"{self.head}({', '.join(map(str, self.arguments))})"

    def lines(self, before: str, indent: str, after: str = "") -> Iterator[str]:
        """Yield the call on one line, or where it is too long with a line per argument."""
        line = f"{indent}{before}{self}{after}"
        if len(line) <= WIDTH:
            yield line
            return
        yield f"{indent}{before}{self.head}("
        for index, argument in enumerate(self.arguments):
            comma = "," if index + 1 < len(self.arguments) else ""
            if isinstance(argument, _Call):
                yield from argument.lines("", indent + INDENT, comma)
            else:
                yield f"{indent}{INDENT}{argument}{comma}"
        yield f"{indent}){after}"


def _type(kind: FieldType) -> str:
    match kind:
        case Text():
            return "String"
        case Integer() | Constant():
            return "Int"
        case Number():
            return "Double"
        case Boolean():
            return "Bool"
        case Axis():
            return "Axis"
        case Pair():
            return "PixelRange"
        case EnumRef(name) | StructRef(name):
            return name
        case Nullable(inner):
            return f"{_type(inner)}?"
        case ListOf(item):
            return f"[{_type(item)}]"
        case MapOf(value):
            return f"[String: {_type(value)}]"


def _default(field: Field) -> str | None:
    """Return the default of a parameter; None where a caller must say."""
    if isinstance(field.type, Constant):
        return "Self.currentVersion"
    return None if field.required else _literal(field.default, field.type)


def _literal(value: object, kind: FieldType) -> str:
    match value:
        case None:
            return "nil"
        case dict():
            return "[:]"
        case list():
            return "[]"
        case str():
            return f".{_case(value)}" if isinstance(kind, EnumRef) else f'"{value}"'
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


def _case(value: str) -> str:
    """Return ``out-of-memory`` as ``outOfMemory`` and ``NCHW`` as ``nchw``."""
    first, *rest = re.split(r"[-_]", value)
    return (first.lower() if first.isupper() else first) + "".join(map(str.capitalize, rest))


def _quoted(name: str) -> str:
    return f"`{name}`" if name in KEYWORDS else name


def _doc(text: str, indent: str) -> Iterator[str]:
    """Yield a comment in Swift's words: nil, single backticks, whole sentences."""
    words = re.sub(r"\bNone\b", "nil", text.replace("``", "`")).replace("()", "empty")
    if words and not words.endswith((".", "?")):
        words += "."
    for number, paragraph in enumerate(re.split(r"\n\s*\n", words[:1].upper() + words[1:])):
        if number:
            yield f"{indent}///"
        for line in textwrap.wrap(paragraph, WIDTH - len(indent) - 4, break_long_words=False):
            yield f"{indent}/// {line}"
