"""JSON Schemas of structs, as published under `docs/`."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec


def schema_of(kind: type[msgspec.Struct]) -> bytes:
    """Return the JSON Schema of a struct and of all that it holds, indented."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(kind),
    }
    for definition in schema["$defs"].values():
        # Python 3.13 strips the indentation of docstrings itself; the file must not depend on it.
        definition["description"] = inspect.cleandoc(definition["description"])
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"
