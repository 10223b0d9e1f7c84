from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import FILE_NAME, Manifest, json_schema, read_manifest

ROOT = Path(__file__).parents[2]


def test_committed_schema_is_the_one_of_the_types():
    assert (ROOT / "docs" / "manifest.schema.json").read_bytes() == json_schema(), "run make schema"


def test_a_manifest_fits_the_published_schema(artifact):
    schema = json.loads((ROOT / "docs" / "manifest.schema.json").read_bytes())
    jsonschema.validate(json.loads((artifact / FILE_NAME).read_bytes()), schema)


def test_reading_gives_back_what_was_written(artifact):
    manifest = read_manifest(artifact)
    assert msgspec.json.decode(manifest.encoded(), type=Manifest) == manifest


def test_manifest_states_every_fact_of_a_file(artifact):
    fact = next(f for f in read_manifest(artifact).files if "transform_64x96" in f.path)
    assert fact.path == "adain-lite_transform_64x96_fp32.onnx"
    assert [i.name for i in fact.inputs] == ["content", "style_code", "strength"]
    content, code, strength = fact.inputs
    assert (content.shape, content.layout, content.pixel_range) == ((1, 3, 64, 96), "NCHW", (0, 1))
    assert content.colour_order == "RGB"
    assert (code.shape, code.layout) == ((1, 480), "NK")
    assert (strength.shape, strength.kind) == ((1,), "strength")
    assert fact.outputs[0].shape == (1, 3, 64, 96)
    assert fact.size_bytes == (artifact / fact.path).stat().st_size
    assert fact.macs > 100e6
    assert fact.parity is not None
    assert fact.parity.measured_db >= fact.parity.allowed_db == 90


def test_another_schema_version_is_named(tmp_path, artifact):
    value = json.loads((artifact / FILE_NAME).read_bytes()) | {"schema_version": 7}
    (tmp_path / FILE_NAME).write_text(json.dumps(value))
    with pytest.raises(BadArtifact, match="schema version 7, expected 1"):
        read_manifest(tmp_path)
