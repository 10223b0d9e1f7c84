"""Reference of the JSON files: manifest, latency report and job, from their schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from styleexport.core import manifest
from styleexport.runtime_bench.contract import job, latency
from tools.reference_pages.docstrings import Docstring, parse

Schema = dict[str, Any]
# Path under docs/reference → title, schema, and where such a file comes from.
DOCUMENTS = {
    "manifest.md": (
        "manifest.json",
        manifest.json_schema,
        "Every artifact holds one: it describes all other files, and apps read nothing else "
        "about a network. [JSON Schema](../manifest.schema.json).",
    ),
    "latency.md": (
        "Latency report",
        latency.json_schema,
        "Written by `styleexport bench`, by the page of `serve` and by the apps, and read by "
        "`styleexport report` and `bench compare`. [JSON Schema](../latency.schema.json).",
    ),
    "job.md": (
        "Job of a browser or phone",
        job.json_schema,
        "What `styleexport bench` asks a browser or an app to measure. "
        "[JSON Schema](../job.schema.json).",
    ),
}


def pages() -> dict[str, str]:
    """Return the text of each page by its path under docs/reference."""
    made: dict[str, str] = {}
    for path, (title, schema, about) in DOCUMENTS.items():
        lines = [f"# {title}", "", about, ""]
        for name, definition in definitions(json.loads(schema())):
            lines += _definition(name, definition)
        made[path] = "\n".join(lines)
    return made


def definitions(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the structs and enums of a schema, each after the first that holds it."""
    waiting = [_name(schema)]
    for name in waiting:
        definition = schema["$defs"][name]
        yield name, definition
        waiting += [found for found in dict.fromkeys(_names(definition)) if found not in waiting]


def undescribed(name: str, definition: Schema) -> list[str]:
    """Return the fields of a struct that neither its docstring nor its schema describes."""
    docstring = parse(definition["description"])
    fields = definition.get("properties", {})
    return [f"{name}.{field}" for field in fields if not _text(docstring, field, fields[field])]


def _definition(name: str, definition: Schema) -> list[str]:
    docstring = parse(definition["description"])
    lines = [f"## {name}", "", docstring.text, ""]
    if "enum" in definition:
        return [*lines, f"Values: {_values(definition)}.", ""]
    required = definition.get("required", [])
    for field, schema in definition["properties"].items():
        kind = _kind(schema) + ("" if field in required else ", optional")
        lines.append(f"- `{field}` ({kind}): {_text(docstring, field, schema)}".rstrip(": "))
    return [*lines, ""]


def _text(docstring: Docstring, field: str, schema: Schema) -> str:
    text = docstring.sections.get("Attributes", {}).get(field) or schema.get("description", "")
    # A struct of a few plain fields describes them in its first sentence.
    return text or ("" if "Attributes" in docstring.sections else docstring.summary)


def _kind(schema: Schema) -> str:
    """Return the type of a value in words."""
    if "$ref" in schema:
        return f"[{_name(schema)}](#{_name(schema).lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(item) for item in schema["anyOf"]))
    if "enum" in schema:
        return _values(schema)
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])}: {_kind(schema['prefixItems'][0])}"
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"name → {_kind(values)}" if isinstance(values, dict) else "object"
    return schema.get("type", "any")


def _values(schema: Schema) -> str:
    return ", ".join(f"`{value}`" for value in schema["enum"])


def _name(schema: Schema) -> str:
    return schema["$ref"].rpartition("/")[2]


def _names(schema: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the names that a schema refers to, at any depth."""
    if isinstance(schema, list):
        for item in schema:
            yield from _names(item)
    elif isinstance(schema, dict):
        if "$ref" in schema:
            yield _name(schema)
        for value in schema.values():
            yield from _names(value)
