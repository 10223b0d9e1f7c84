from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from styleexport.core.errors import BadArtifact
from styleexport.runtime_bench.contract.latency import json_schema, read_report, write_report

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "tests" / "contract" / "reports"
INDEX = json.loads((CONTRACT / "index.json").read_text())
SCHEMA = ROOT / "docs" / "latency.schema.json"


def test_committed_schema_is_the_one_of_the_types():
    assert SCHEMA.read_bytes() == json_schema(), "run make schema"


def test_every_contract_file_is_in_the_index():
    listed = {entry["file"] for entry in INDEX}
    assert listed == {path.name for path in CONTRACT.glob("*.json")} - {"index.json"}


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_a_report_is_read_or_refused_with_its_reason(entry):
    path = CONTRACT / entry["file"]
    if entry["valid"]:
        jsonschema.validate(json.loads(path.read_bytes()), json.loads(SCHEMA.read_bytes()))
        assert read_report(path).encoded() == path.read_bytes()
        return
    with pytest.raises(BadArtifact) as caught:
        read_report(path)
    assert str(caught.value).startswith(f"{path} {entry['error']}")
    assert "styleexport" in str(caught.value).split(entry["error"])[1]


def test_a_missing_report_says_how_one_is_made(tmp_path):
    with pytest.raises(BadArtifact, match="does not exist; make a report with `style"):
        read_report(tmp_path / "no.json")


def test_writing_leaves_a_report_or_nothing(tmp_path):
    report = read_report(CONTRACT / "phone.json")
    write_report(report, tmp_path / "deep" / "phone.json")
    assert read_report(tmp_path / "deep" / "phone.json") == report
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["phone.json"]


def test_a_system_without_a_name_has_an_identity_too():
    machine = read_report(CONTRACT / "phone.json").machine
    assert machine.identity == ("Google Pixel 8", "Android", "Tensor G3", 9)
    assert msgspec.structs.replace(machine, os="").identity[1] == ""
