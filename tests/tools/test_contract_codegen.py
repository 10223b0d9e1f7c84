"""The generated contract types are those of the schemas, and what a schema may hold is covered."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest

from tools.contract_codegen import __main__ as codegen
from tools.contract_codegen.schema_types import (
    SCHEMAS,
    Axis,
    Constant,
    EnumRef,
    Integer,
    Nullable,
    SchemaError,
    Text,
    camel_case,
    read_contract,
    split_description,
)

DOCS = codegen.ROOT / "docs"


def test_the_generated_files_are_those_of_the_schemas():
    stale = codegen.stale_files()
    assert not stale, f"{sorted(stale)}: type `python -m tools.contract_codegen`"


def test_generated_files_say_so_and_fit_the_width():
    files = codegen.generated_files()
    assert len(files) >= 3
    for path, text in files.items():
        assert codegen.HEADER in text.splitlines()[0], path
        assert text.endswith("}\n") and not text.endswith("\n\n"), path
        assert max(map(len, text.splitlines())) <= 100, path


def test_check_compares_and_writes_nothing(tmp_path, monkeypatch, capsys):
    for path, text in codegen.generated_files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    shutil.copytree(DOCS, tmp_path / "docs", ignore=lambda folder, names: {"guides", "decisions"})
    monkeypatch.setattr(codegen, "ROOT", tmp_path)
    monkeypatch.setattr(codegen.stale_files, "__defaults__", (tmp_path,))
    monkeypatch.setattr(codegen.generated_files, "__defaults__", (tmp_path,))
    assert codegen.main(["--check"]) == 0
    altered = tmp_path / next(iter(codegen.generated_files()))
    original = altered.read_text()
    altered.write_text(original + "// by hand\n")
    assert codegen.main(["--check"]) == 1
    assert "type `python -m tools.contract_codegen`" in capsys.readouterr().out
    assert altered.read_text().endswith("// by hand\n")
    assert codegen.main([]) == 0
    assert altered.read_text() == original


def test_the_model_holds_what_the_schemas_say():
    contract = read_contract(DOCS)
    assert [one.name for one in contract.documents] == list(SCHEMAS)
    cell = contract.struct("CellFact")
    assert cell.closed and cell.checked and cell.documents == ("latency",)
    fields = {one.key: one for one in cell.fields}
    assert next(iter(fields)) == "subject"
    assert fields["batch"].type == Integer(minimum=1) and fields["batch"].default == 1
    assert fields["status"].type == EnumRef("CellStatus") and fields["status"].required
    assert isinstance(fields["compile_ns"].type, Nullable) and not fields["compile_ns"].required
    assert fields["rounds_ns"].name == "roundsNs"
    tensor = contract.struct("TensorFact")
    assert tensor.documents == ("manifest", "job")
    assert any(one.key == "shape" and one.type.item == Axis() for one in tensor.fields)
    assert not contract.struct("JobFact").closed
    probe = next(one for one in contract.struct("ProbeFact").fields if one.key == "path")
    assert isinstance(probe.type, Text) and probe.type.is_path
    version = contract.struct("Manifest").fields[0]
    assert version.type == Constant(4)
    assert contract.enum("Role").documents == ("manifest", "latency", "job")


@pytest.mark.parametrize(
    ("name", "path", "value", "words"),
    [
        ("job", ("PlanFact", "rounds"), {"type": "integer", "multipleOf": 2}, "multipleOf"),
        ("job", ("PlanFact", "rounds"), {"enum": ["a", "b"]}, "without a name"),
        ("job", ("PlanFact", "rounds"), {"type": "string", "pattern": "a+"}, "not anchored"),
        ("job", ("PlanFact", "rounds"), {"type": "null"}, "not covered"),
        ("job", ("SizeFact", "height"), {"type": "integer"}, "differs between schemas"),
    ],
)
def test_what_the_model_does_not_cover_is_refused(tmp_path: Path, name, path, value, words):
    for file in SCHEMAS.values():
        shutil.copyfile(DOCS / file, tmp_path / file)
    schema = copy.deepcopy(json.loads((DOCS / SCHEMAS[name]).read_text()))
    title, key = path
    schema["$defs"][title]["properties"][key] = value
    (tmp_path / SCHEMAS[name]).write_text(json.dumps(schema))
    with pytest.raises(SchemaError, match=words):
        read_contract(tmp_path)


def test_descriptions_are_split_into_summary_and_attributes():
    text = "Summary.\n\nMore.\n\nAttributes:\n    one: first\n        line.\n    two: other."
    assert split_description(text) == ("Summary.\n\nMore.", {"one": "first line.", "two": "other."})
    assert split_description("Summary.") == ("Summary.", {})
    assert camel_case("source_sha256") == "sourceSha256"
