"""Kotlin back end: data classes with strict readers, and writers of what a phone sends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tools.contract_codegen.kotlin_source import (
    COLUMNS,
    call,
    enum_constant,
    kdoc,
    literal,
    wrapped,
)
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

FOLDER = "android_harness/contract/src/main/kotlin/org/styleexport/contract/facts"
FILES = {"manifest": "Manifest.kt", "latency": "LatencyReport.kt", "job": "Job.kt"}
# The document that a phone writes; it only reads the others.
WRITTEN = "latency"
REMEDIES = {
    "manifest": "export the network again",
    "latency": "measure again with this version",
    "job": "take the app and the command line from one release",
}
# Whole numbers without a bound that are an Int all the same; with a lower bound alone they count
# things that are held in memory, and are an Int too.
INTS = {("NetworkFact", "min_side"), ("ParityFact", "probes")}
INT_MAX = 2**31 - 1
# Structs that messages show.
TEXT_FORMS = {"SizeFact": "${height}x$width"}


def generate(contract: Contract, header: str) -> dict[str, str]:
    """Return path -> text of every file.

    Args:
        contract: what to generate.
        header: comment line that every file begins with, without the comment sign.
    """
    return {
        f"{FOLDER}/{FILES[document.name]}": _File(contract, document).text(header)
        for document in contract.documents
    }


class _File:
    """The file of one document."""

    def __init__(self, contract: Contract, document: Document) -> None:
        self.contract = contract
        self.document = document
        self.patterns = _pattern_names(contract)

    def text(self, header: str) -> str:
        name = self.document.name
        blocks = [self._struct(one) for one in self.contract.structs_of(name)]
        blocks += [self._enum(one) for one in self.contract.enums_of(name)]
        if self.document is self.contract.documents[0]:
            blocks.append(self._pattern_object())
        body = "\n".join(blocks)
        imports = "".join(f"import {name}\n" for name in _imports(body))
        return f"// {header}\n\npackage org.styleexport.contract.facts\n\n{imports}\n{body}"

    # ---- types

    def _struct(self, struct: StructType) -> str:
        is_root = struct.name == self.document.root
        docs = [(f"@property {one.name} {_kdoc(one)}") for one in self._kept(struct) if one.doc]
        lines = [*kdoc(struct.doc, docs), f"public data class {struct.name}("]
        for field in self._kept(struct):
            lines.append(f"    public val {field.name}: {self._parameter(struct, field)},")
        lines.append(") {")
        members: list[list[str]] = []
        if form := TEXT_FORMS.get(struct.name):
            members.append([f'    override fun toString(): String = "{form}"'])
        if WRITTEN in struct.documents:
            if is_root:
                comment = "    /** Return the document as JSON in UTF-8, ending in a newline. */"
                encoded = "    public fun encoded(): ByteArray = StrictJson.write(::write)"
                members.append([comment, encoded])
            members.append(list(self._writer(struct)))
        members.append(list(self._companion(struct, is_root=is_root)))
        for index, member in enumerate(members):
            lines += ["", *member] if index else member
        return "\n".join([*lines, "}", ""])

    def _kept(self, struct: StructType) -> list[Field]:
        """Return the fields that are properties; a schema version is always the same."""
        return [one for one in struct.fields if not isinstance(one.type, Constant)]

    def _parameter(self, struct: StructType, field: Field) -> str:
        type_name = self._type(field.type, struct, field)
        if not field.required:
            return f"{type_name} = {self._default(struct, field)}"
        if isinstance(field.type, EnumRef):
            values = self.contract.enum(field.type.name).values
            if len(values) == 1:
                return f"{type_name} = {type_name}.{enum_constant(values[0])}"
        return type_name

    def _type(self, kind: FieldType, struct: StructType, field: Field) -> str:
        match kind:
            case Text():
                return "String"
            case Integer():
                return "Int" if _is_int(kind, struct, field) else "Long"
            case Number():
                return "Double"
            case Boolean():
                return "Boolean"
            case Axis():
                return "Int?"
            case Pair():
                return "PixelRange"
            case EnumRef(name) | StructRef(name):
                return name
            case Nullable(inner):
                return f"{self._type(inner, struct, field)}?"
            case ListOf(item):
                return f"List<{self._type(item, struct, field)}>"
            case MapOf(value):
                return f"Map<String, {self._type(value, struct, field)}>"
            case Constant():
                raise AssertionError("a constant is no property")

    def _default(self, struct: StructType, field: Field) -> str:
        match field.type, field.default:
            case Nullable(), None:
                return "null"
            case ListOf(), []:
                return "emptyList()"
            case MapOf(), dict():
                return "emptyMap()"
            case Integer() as kind, value if not _is_int(kind, struct, field):
                return f"{value}L"
            case EnumRef(name), str() as value:
                return f"{name}.{enum_constant(value)}"
            case _, value:
                return json.dumps(value, ensure_ascii=False)

    # ---- readers

    def _companion(self, struct: StructType, *, is_root: bool) -> Iterator[str]:
        yield f"    {'public' if is_root else 'internal'} companion object {{"
        if is_root:
            yield "        /** Schema version that is read and written. */"
            version = self.document.schema_version
            yield f"        public const val SCHEMA_VERSION: Int = {version}"
            yield ""
        kind = "closed" if struct.closed else "open"
        receiver = "internal val" if is_root else "val"
        rules = "(ContractRules::check)" if struct.checked else ""
        yield f"        {receiver} reader: Read<{struct.name}> = Fields.{kind}{rules} {{"
        for field in struct.fields:
            if isinstance(field.type, Constant):
                yield f'            required("{field.key}", constant(SCHEMA_VERSION))'
        yield f"            {struct.name}("
        for field in self._kept(struct):
            yield from wrapped(self._read_call(struct, field), 16)
        yield "            )"
        yield "        }"
        if is_root:
            remedy = json.dumps(REMEDIES[self.document.name])
            yield ""
            yield "        /**"
            yield "         * Return the document that bytes hold."
            yield "         *"
            yield "         * @throws ContractError they are no document of this schema version."
            yield "         */"
            yield f"        public fun read(bytes: ByteArray): {struct.name} ="
            read = f"StrictJson.read(bytes, SCHEMA_VERSION, {remedy}, reader)"
            yield from wrapped(read, 12, end="")
        yield "    }"

    def _read_call(self, struct: StructType, field: Field) -> str:
        """Return the argument that reads a field."""
        kind, method = field.type, "required"
        arguments = [f'"{field.key}"']
        if isinstance(kind, Nullable):
            kind, method = kind.inner, "nullable" if field.required else "optional"
        elif not field.required:
            method = "optional"
            arguments.append(self._default(struct, field))
        arguments.append(self._reader(kind, struct, field))
        return f"{field.name} = {method}({', '.join(arguments)})"

    def _reader(self, kind: FieldType, struct: StructType, field: Field) -> str:
        match kind:
            case Text(pattern, max_length, is_path):
                if is_path:
                    return "path(Patterns.PATH)"
                name = f"Patterns.{self.patterns[pattern]}" if pattern else None
                return call("text", name, ("max", max_length))
            case Integer(low, high) if _is_int(kind, struct, field):
                return call("int", ("min", low), ("max", high))
            case Integer(low, high):
                return call("long", ("min", low), ("max", high))
            case Number(low, high):
                return call(
                    "number",
                    ("min", None if low is None else float(low)),
                    ("max", None if high is None else float(high)),
                )
            case Boolean():
                return "boolean"
            case Axis():
                return "axis"
            case Pair():
                return "pair"
            case EnumRef(name) | StructRef(name):
                return f"{name}.reader"
            case ListOf(item, low, high):
                return call(
                    "list", self._reader(item, struct, field), ("min", low or None), ("max", high)
                )
            case MapOf(value, key_length, high):
                return call(
                    "map",
                    self._reader(value, struct, field),
                    ("keyMax", key_length),
                    ("max", high),
                )
            case Nullable() | Constant():
                raise AssertionError(f"{field.key}: read by its field")

    # ---- writers

    def _writer(self, struct: StructType) -> Iterator[str]:
        """Yield the function that writes a struct; fields of their default value are left out."""
        yield "    internal fun write(json: JsonWriter) {"
        yield "        json.beginObject()"
        for field in struct.fields:
            yield from self._write_field(struct, field)
        yield "        json.endObject()"
        yield "    }"

    def _write_field(self, struct: StructType, field: Field) -> Iterator[str]:
        name = f'json.name("{field.key}")'
        match field.type:
            case Constant():
                yield f"        {name}.value(SCHEMA_VERSION)"
            case Nullable(inner) if field.required:
                if not isinstance(inner, Text | Integer | Number | Boolean):
                    raise AssertionError(f"{field.key}: a writer of this null is not covered")
                yield f"        {name}.value({field.name})"
            case Nullable(inner):
                yield f"        {field.name}?.let {{ {name}{self._write_value(inner, 'it')} }}"
            case kind if field.required:
                yield f"        {name}{self._write_value(kind, field.name)}"
            case kind:
                is_empty = field.default in ([], {})
                condition = (
                    f"{field.name}.isNotEmpty()"
                    if is_empty
                    else f"{field.name} != {self._default(struct, field)}"
                )
                write = f"{name}{self._write_value(kind, field.name)}"
                line = f"        if ({condition}) {write}"
                if len(line) <= COLUMNS:
                    yield line
                else:
                    yield f"        if ({condition}) {{"
                    yield f"            {write}"
                    yield "        }"

    def _write_value(self, kind: FieldType, value: str) -> str:
        """Return what follows the name."""
        match kind:
            case Text() | Integer() | Number() | Boolean():
                return f".value({value})"
            case EnumRef():
                return f".value({value}.serialName)"
            case StructRef():
                return f".also({value}::write)"
            case ListOf(item):
                return f".list({value}) {{ {self._write_item(item)} }}"
            case MapOf(item):
                return f".map({value}) {{ {self._write_item(item)} }}"
            case _:
                raise AssertionError(f"{value}: a writer of this type is not covered")

    def _write_item(self, kind: FieldType, depth: int = 0) -> str:
        if isinstance(kind, StructRef):
            return "it.write(json)"
        if isinstance(kind, ListOf):
            inner = self._write_item(kind.item, depth + 1)
            return f"inner -> json.list(inner) {{ {inner} }}"
        return f"json{self._write_value(kind, 'it')}"

    # ---- enums and patterns

    def _enum(self, enum: EnumType) -> str:
        lines = [
            *kdoc(_enum_doc(enum), ()),
            f"public enum class {enum.name}(public val serialName: String) {{",
        ]
        for index, value in enumerate(enum.values):
            end = ";" if index == len(enum.values) - 1 else ","
            lines.append(f'    {enum_constant(value)}("{value}"){end}')
        lines += [
            "",
            "    internal companion object {",
            f"        val reader: Read<{enum.name}> = oneOf(entries, {enum.name}::serialName)",
            "    }",
        ]
        return "\n".join([*lines, "}", ""])

    def _pattern_object(self) -> str:
        lines = ["/** Patterns of the contract's texts. */", "internal object Patterns {"]
        for pattern, name in self.patterns.items():
            expected = (
                next(one.description for one in _texts(self.contract) if one.pattern == pattern)
                or f"a text that matches {pattern}"
            )
            value = f"val {name} = TextPattern({literal(expected)}, {literal(pattern)})"
            lines += wrapped(value, 4, end="")
        return "\n".join([*lines, "}", ""])


def _enum_doc(enum: EnumType) -> str:
    """Return a description; that of a field begins in lower case."""
    if enum.doc[:1].isupper():
        return enum.doc
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", enum.name).capitalize()
    return f"{words}: {enum.doc}" if enum.doc else f"{words}."


def _is_int(kind: Integer, struct: StructType, field: Field) -> bool:
    """Whether a whole number is an Int in Kotlin."""
    if kind.maximum is not None:
        return kind.maximum <= INT_MAX
    return kind.minimum is not None or (struct.name, field.key) in INTS


def _pattern_names(contract: Contract) -> dict[str, str]:
    """Return pattern -> constant, named by the shortest key of the fields that have it."""
    keys: dict[str, str] = {}
    for struct in contract.structs:
        for field in struct.fields:
            for text in _texts_of(field.type):
                if text.pattern:
                    known = keys.get(text.pattern, field.key)
                    key = "path" if text.is_path else min(known, field.key, key=len)
                    keys[text.pattern] = key
    return {pattern: key.upper() for pattern, key in keys.items()}


def _texts(contract: Contract) -> Iterator[Text]:
    for struct in contract.structs:
        for field in struct.fields:
            yield from _texts_of(field.type)


def _texts_of(kind: FieldType) -> Iterator[Text]:
    match kind:
        case Text():
            yield kind
        case Nullable(inner) | ListOf(inner) | MapOf(inner):
            yield from _texts_of(inner)
        case _:
            pass


def _kdoc(field: Field) -> str:
    note = ""
    if isinstance(field.type, ListOf) and isinstance(field.type.item, Axis):
        note = " It is null here."
    return field.doc + note


def _imports(body: str) -> list[str]:
    """Return the classes and functions of other packages that a file names."""
    contract = "org.styleexport.contract.json"
    values = "axis boolean constant int list long map number oneOf pair path text"
    names = {
        "com.google.gson.stream.JsonWriter": r"\bJsonWriter\b",
        f"{contract}.ContractError": r"\bContractError\b",
        f"{contract}.Fields": r"\bFields\.",
        f"{contract}.Read": r"\bRead<",
        f"{contract}.StrictJson": r"\bStrictJson\b",
        f"{contract}.TextPattern": r"\bTextPattern\b",
        **{f"{contract}.Values.{name}": rf"(?<![.\w]){name}(?=[(,)])" for name in values.split()},
        f"{contract}.list": r"json(\.name\(\S+\))?\.list\(",
        f"{contract}.map": r"json(\.name\(\S+\))?\.map\(",
    }
    return sorted(name for name, pattern in names.items() if re.search(pattern, body))
