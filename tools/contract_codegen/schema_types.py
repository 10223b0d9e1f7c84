"""Model of the three JSON Schemas that every back end generates code from.

The schemas are generated from the Python structs (`make schema`), so only what msgspec emits is
read here; a construct that no struct uses yet is refused, never ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

# Document -> schema under docs/. A struct that several documents hold belongs to the first.
SCHEMAS = {
    "manifest": "manifest.schema.json",
    "latency": "latency.schema.json",
    "job": "job.schema.json",
}
# Names of enums that Python writes as a Literal in place.
ENUM_NAMES = {
    ("TensorFact", "kind"): "TensorKind",
    ("TensorFact", "dtype"): "ElementType",
    ("StatisticFact", "kind"): "StatisticKind",
    ("TensorFact", "layout"): "TensorLayout",
    ("TensorFact", "colour_order"): "ColourOrder",
    ("FileFact", "float_dtype"): "FloatType",
    ("QuantizationFact", "scheme"): "QuantizationScheme",
    ("QuantizationFact", "weight_dtype"): "WeightType",
    ("QuantizationFact", "activation_dtype"): "ActivationType",
    ("ParityFact", "metric"): "ParityMetric",
    ("PixelFormatFact", "order"): "ChannelOrder",
    ("PixelFormatFact", "layout"): "AxisOrder",
    ("PixelFormatFact", "dtype"): "PixelType",
    ("PixelFormatFact", "basis"): "FactBasis",
    ("PixelsFact", "scale_basis"): "FactBasis",
    ("OptimizationFact", "algorithm"): "OptimizationAlgorithm",
    ("HarnessFact", "name"): "HarnessName",
    ("ThermalFact", "scale"): "ThermalScale",
    ("CellFact", "status"): "CellStatus",
    ("LatencyReport", "doubts"): "Doubt",
}
# Structs with rules that a schema cannot express. Each language checks them in a function by hand,
# which the generated reader calls with the struct and its JSON path:
#   TensorFact  the lowest pixel value comes first; an axis length is not negative
#   CodeLayoutFact  parts of different names, and a reason where codes do not blend exactly
#   Manifest    codes in the files are as long as the parts of a code together
#   CellFact    a measured cell holds samples; sides are at most 16384 pixels
#   JobCell     its file's path lies below the artifact; it has inputs and outputs
#   JobFact     it has no more cells than a report may have
CHECKED = frozenset({"TensorFact", "CodeLayoutFact", "Manifest", "CellFact", "JobCell", "JobFact"})
PATH_DESCRIPTION = "path below the artifact directory, with forward slashes"


class SchemaError(Exception):
    """A schema holds something that this model does not cover."""


class Text(Struct, frozen=True):
    """A string.

    Attributes:
        pattern: regular expression that the whole string must match; without anchors.
        max_length: in code points.
        is_path: whether it is a path below a folder, which must not have ".." among its parts.
        description: what a text of the pattern is, for messages; None where the schema has none.
    """

    pattern: str | None = None
    max_length: int | None = None
    is_path: bool = False
    description: str | None = None


class Integer(Struct, frozen=True):
    """A whole number of 64 bits; ``1.0`` and ``1e3`` are none."""

    minimum: int | None = None
    maximum: int | None = None


class Number(Struct, frozen=True):
    """A finite number; whole numbers are accepted."""

    minimum: float | None = None
    maximum: float | None = None


class Boolean(Struct, frozen=True):
    """``true`` or ``false``."""


class Constant(Struct, frozen=True):
    """A whole number that is always the same: a schema version."""

    value: int


class Axis(Struct, frozen=True):
    """The length of an axis, or the name of an axis of any length: an integer or a string."""


class Pair(Struct, frozen=True):
    """Two numbers in an array."""


class EnumRef(Struct, frozen=True):
    """One of the values of an enum in `Contract.enums`."""

    name: str


class StructRef(Struct, frozen=True):
    """A struct in `Contract.structs`."""

    name: str


class Nullable(Struct, frozen=True):
    """A value or null; a field that is not required and is left out reads as null."""

    inner: FieldType


class ListOf(Struct, frozen=True):
    """An array of values of one type."""

    item: FieldType
    min_items: int = 0
    max_items: int | None = None


class MapOf(Struct, frozen=True):
    """An object with keys of any name and values of one type.

    Attributes:
        key_max_length: of each key, in code points.
    """

    value: FieldType
    key_max_length: int | None = None
    max_entries: int | None = None


FieldType = (
    Text
    | Integer
    | Number
    | Boolean
    | Constant
    | Axis
    | Pair
    | EnumRef
    | StructRef
    | Nullable
    | ListOf
    | MapOf
)


class Field(Struct, frozen=True):
    """One field of a struct.

    Attributes:
        key: JSON key, in snake case.
        type: type of its value.
        required: whether a reader refuses an object without it.
        default: value of a field that is left out, as JSON; None where ``required``.
        doc: one line, or "".
    """

    key: str
    type: FieldType
    required: bool
    default: Any
    doc: str

    @property
    def name(self) -> str:
        """The key in camel case."""
        return camel_case(self.key)


class StructType(Struct, frozen=True):
    """An object with known fields.

    Attributes:
        name: type name in the apps.
        doc: description without the list of attributes.
        fields: in the order of the Python struct.
        closed: whether unknown keys are refused; else they are ignored.
        checked: whether a check by hand follows (`CHECKED`).
        documents: documents that hold it, in the order of `SCHEMAS`; it is generated into the
            first one's file.
    """

    name: str
    doc: str
    fields: tuple[Field, ...]
    closed: bool
    checked: bool
    documents: tuple[str, ...]


class EnumType(Struct, frozen=True):
    """A string of a fixed set.

    Attributes:
        name: type name in the apps.
        doc: description; that of the field for an enum of one field.
        values: as JSON has them, in the order of the schema.
        documents: as in `StructType`.
    """

    name: str
    doc: str
    values: tuple[str, ...]
    documents: tuple[str, ...]


class Document(Struct, frozen=True):
    """A JSON file of the contract.

    Attributes:
        name: key of `SCHEMAS`.
        root: name of the struct that the file holds.
        schema_version: the one that is read and written.
    """

    name: str
    root: str
    schema_version: int


class Contract(Struct, frozen=True):
    """All three documents; a type that several hold is listed once."""

    documents: tuple[Document, ...]
    structs: tuple[StructType, ...]
    enums: tuple[EnumType, ...]

    def struct(self, name: str) -> StructType:
        """Return the struct of a name."""
        return next(one for one in self.structs if one.name == name)

    def enum(self, name: str) -> EnumType:
        """Return the enum of a name."""
        return next(one for one in self.enums if one.name == name)

    def structs_of(self, document: str) -> tuple[StructType, ...]:
        """Return the structs that are generated into a document's file, callers first."""
        return tuple(one for one in self.structs if one.documents[0] == document)

    def enums_of(self, document: str) -> tuple[EnumType, ...]:
        """Return the enums that are generated into a document's file."""
        return tuple(one for one in self.enums if one.documents[0] == document)


def camel_case(key: str) -> str:
    """Return ``source_sha256`` as ``sourceSha256``."""
    first, *rest = key.split("_")
    return first + "".join(part.capitalize() for part in rest)


def read_contract(docs: Path) -> Contract:
    """Return the contract that the schemas in a folder describe.

    Raises:
        SchemaError: a schema holds a construct that is not covered, or two schemas disagree on a
            type.
    """
    builder = _Builder()
    for name, file in SCHEMAS.items():
        builder.add(name, json.loads((docs / file).read_text(encoding="utf-8")))
    return builder.contract()


class _Builder:
    """Collects the types of one schema after the other."""

    def __init__(self) -> None:
        self._documents: list[Document] = []
        self._structs: dict[str, StructType] = {}
        self._enums: dict[str, EnumType] = {}
        self._definitions: Mapping[str, Any] = {}
        self._document = ""

    def add(self, document: str, schema: Mapping[str, Any]) -> None:
        self._document = document
        self._definitions = schema["$defs"]
        root = _target(schema["$ref"])
        for title in _reachable(root, self._definitions):
            self._define(title, self._definitions[title])
        version = next(
            field.type.value
            for field in self._structs[root].fields
            if isinstance(field.type, Constant)
        )
        self._documents.append(Document(document, root, version))

    def contract(self) -> Contract:
        return Contract(
            tuple(self._documents), tuple(self._structs.values()), tuple(self._enums.values())
        )

    def _define(self, title: str, definition: Mapping[str, Any]) -> None:
        doc, attributes = split_description(definition["description"])
        if "enum" in definition:
            self._add_enum(title, doc, tuple(definition["enum"]))
            return
        _only(definition, "additionalProperties description properties required title type", title)
        required = definition["required"]
        fields = tuple(
            Field(
                key=key,
                type=self._type(definition["properties"][key], (title, key), attributes.get(key)),
                required=key in required,
                default=definition["properties"][key].get("default"),
                doc=attributes.get(key, ""),
            )
            for key in _declared_order(definition, attributes)
        )
        closed = definition.get("additionalProperties") is False
        known = self._structs.get(title)
        documents = (*(known.documents if known else ()), self._document)
        struct = StructType(title, doc, fields, closed, title in CHECKED, documents)
        if known and msgspec.structs.replace(known, documents=documents) != struct:
            raise SchemaError(f"{title} differs between schemas: type `make schema`")
        self._structs[title] = struct

    def _add_enum(self, name: str, doc: str, values: tuple[str, ...]) -> None:
        known = self._enums.get(name)
        documents = (*(known.documents if known else ()), self._document)
        enum = EnumType(name, doc, values, tuple(dict.fromkeys(documents)))
        if known and known.values != values:
            raise SchemaError(f"{name} has other values in the schema of {self._document}")
        self._enums[name] = enum

    def _type(self, schema: Mapping[str, Any], at: tuple[str, str], doc: str | None) -> FieldType:
        """Return the type of a value.

        Args:
            schema: of the value.
            at: title of the struct and key of the field, for names and messages.
            doc: of the field.
        """
        if "$ref" in schema:
            return self._reference(_target(schema["$ref"]))
        if "enum" in schema:
            return self._enum(schema["enum"], at, doc)
        if "anyOf" in schema:
            return self._any_of(schema["anyOf"], at, doc)
        match schema["type"]:
            case "string":
                return _text(schema, at)
            case "integer":
                _only(schema, "default description maximum minimum type", at)
                return Integer(schema.get("minimum"), schema.get("maximum"))
            case "number":
                _only(schema, "default description maximum minimum type", at)
                return Number(schema.get("minimum"), schema.get("maximum"))
            case "boolean":
                return Boolean()
            case "array" if "prefixItems" in schema:
                if [one["type"] for one in schema["prefixItems"]] != ["number", "number"]:
                    raise SchemaError(f"{at}: only pairs of numbers are covered")
                return Pair()
            case "array":
                _only(schema, "default description items maxItems minItems type", at)
                item = self._type(schema["items"], at, doc)
                return ListOf(item, schema.get("minItems", 0), schema.get("maxItems"))
            case "object":
                _only(schema, "additionalProperties default maxProperties propertyNames type", at)
                keys = schema.get("propertyNames", {})
                _only(keys, "maxLength", at)
                value = self._type(schema["additionalProperties"], at, doc)
                return MapOf(value, keys.get("maxLength"), schema.get("maxProperties"))
            case other:
                raise SchemaError(f"{at}: the type {other} is not covered")

    def _reference(self, title: str) -> FieldType:
        is_enum = "enum" in self._definitions[title]
        return EnumRef(title) if is_enum else StructRef(title)

    def _enum(self, values: list[Any], at: tuple[str, str], doc: str | None) -> FieldType:
        if len(values) == 1 and isinstance(values[0], int):
            return Constant(values[0])
        if at not in ENUM_NAMES:
            raise SchemaError(f"{at} is an enum without a name: add one to ENUM_NAMES")
        self._add_enum(ENUM_NAMES[at], doc or "", tuple(values))
        return EnumRef(ENUM_NAMES[at])

    def _any_of(self, options: list[Any], at: tuple[str, str], doc: str | None) -> FieldType:
        kinds = [one.get("type") for one in options]
        if kinds == ["integer", "string"]:
            return Axis()
        if len(options) == 2 and kinds[1] == "null":
            return Nullable(self._type(options[0], at, doc))
        raise SchemaError(f"{at}: this union is not covered")


def _text(schema: Mapping[str, Any], at: tuple[str, str]) -> Text:
    _only(schema, "default description maxLength pattern type", at)
    pattern = schema.get("pattern")
    if pattern is not None:
        if not (pattern.startswith("^") and pattern.endswith("$")):
            raise SchemaError(f"{at}: the pattern {pattern} is not anchored at both ends")
        pattern = pattern[1:-1]
    description = schema.get("description")
    is_path = description == PATH_DESCRIPTION
    return Text(pattern, schema.get("maxLength"), is_path, description)


def _declared_order(definition: Mapping[str, Any], attributes: Mapping[str, str]) -> list[str]:
    """Return the keys in the order of the Python struct; a schema lists them by the alphabet."""
    known = [*attributes, *definition["required"], *definition["properties"]]
    return [key for key in dict.fromkeys(known) if key in definition["properties"]]


def _reachable(root: str, definitions: Mapping[str, Any]) -> list[str]:
    """Return the titles that a struct holds, callers before what they hold."""
    order = [root]
    for title in order:
        references = dict.fromkeys(_references(definitions[title]))
        order += [one for one in references if one not in order]
    return order


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield _target(schema["$ref"])
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def _target(reference: str) -> str:
    return reference.removeprefix("#/$defs/")


def _only(schema: Mapping[str, Any], allowed: str, at: object) -> None:
    other = set(schema) - set(allowed.split())
    if other:
        raise SchemaError(f"{at}: {sorted(other)} is not covered by tools/contract_codegen")


def split_description(text: str) -> tuple[str, dict[str, str]]:
    """Return a docstring without its attributes, and the text of each attribute on one line."""
    summary, _, section = text.partition("\nAttributes:\n")
    attributes: dict[str, str] = {}
    for key, doc in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
        attributes[key] = re.sub(r"\s+", " ", doc)
    return summary.strip(), attributes
