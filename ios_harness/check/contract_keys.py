"""Do the Swift structs have the fields of the JSON Schemas, and their enumerations the values?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ios_harness.check.outcome import Outcome
from ios_harness.check.sources import HARNESS, ROOT, KeyedStruct, keyed_structs, text_enums

SCHEMAS = {"manifest": "Manifest", "latency": "LatencyReport", "job": "JobFact"}
Schema = dict[str, Any]


def check() -> Outcome:
    """Return whether Swift and the schemas agree, both ways."""
    structs, enums = keyed_structs(), text_enums()
    faults: list[str] = []
    known: set[str] = set()
    fields = 0
    for name in SCHEMAS:
        definitions = _definitions(name)
        for struct, schema in definitions.items():
            if "properties" in schema:
                known.add(struct)
                fields += len(schema["properties"])
                faults += _struct_faults(name, struct, schema, structs.get(struct))
                faults += _enum_faults(struct, schema, definitions, structs.get(struct), enums)
        faults += _version_faults(name, definitions)
    faults += [f"{struct} is in no schema" for struct in sorted(set(structs) - known)]
    done = f"{len(known)} structs with {fields} fields and {len(enums)} enumerations agree"
    return Outcome.of("fields of the contract", faults, done)


def _definitions(name: str) -> dict[str, Schema]:
    return json.loads((ROOT / f"docs/{name}.schema.json").read_text(encoding="utf-8"))["$defs"]


def _struct_faults(
    name: str, struct: str, schema: Schema, found: KeyedStruct | None
) -> Iterator[str]:
    if found is None:
        yield f"{name}: no Swift struct {struct}"
        return
    wanted, keys = set(schema["properties"]), set(found.keys)
    yield from (f"{struct}.{key} is missing in Swift" for key in sorted(wanted - keys))
    yield from (f"{struct}.{key} is not in {name}.schema.json" for key in sorted(keys - wanted))
    for key in sorted(wanted & keys):
        swift = found.keys[key]
        needed = key in schema.get("required", ())
        if swift not in (found.required if needed else found.optional):
            yield f"{struct}.{key} must {'' if needed else 'not '}be insisted on by the reader"
        if swift not in found.types:
            yield f"{struct} has the key {key} and no property {swift}"


def _enum_faults(
    struct: str,
    schema: Schema,
    definitions: dict[str, Schema],
    found: KeyedStruct | None,
    enums: dict[str, set[str]],
) -> Iterator[str]:
    for key, field in schema["properties"].items():
        values = _values(field, definitions)
        if found is None or not values or key not in found.keys:
            continue
        kind = found.types.get(found.keys[key], "")
        if enums.get(kind) != values:
            yield (
                f"{struct}.{key}: {kind or 'no type'} has {sorted(enums.get(kind, ()))}, the "
                f"schema {sorted(values)}"
            )


def _values(field: Schema, definitions: dict[str, Schema]) -> set[str]:
    """Return the texts that a field may be; none where it is no enumeration of texts."""
    if "$ref" in field:
        return _values(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "items" in field and isinstance(field["items"], dict):
        return _values(field["items"], definitions)
    for option in field.get("anyOf", ()):
        if values := _values(option, definitions):
            return values
    return {value for value in field.get("enum", ()) if isinstance(value, str)}


def _version_faults(name: str, definitions: dict[str, Schema]) -> Iterator[str]:
    (version,) = definitions[SCHEMAS[name]]["properties"]["schema_version"]["enum"]
    owner = {"manifest": "Manifest", "latency": "LatencyReport", "job": "LatencyReport"}[name]
    for path in (HARNESS / "Sources").rglob(f"{owner}+*.swift"):
        match = re.search(r"static let currentVersion = (\d+)", path.read_text(encoding="utf-8"))
        if match:
            if int(match[1]) != version:
                yield f"{owner}.currentVersion is {match[1]}, the schema of the {name} {version}"
            return
    yield f"{owner} has no currentVersion"
