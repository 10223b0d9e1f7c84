from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import (
    FILE_NAME,
    Manifest,
    ParityFact,
    SizeFact,
    json_schema,
    read_manifest,
    sha256_of_file,
    size_of_file,
)

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
    assert fact.version == "opset 18"
    assert [parity.runner for parity in fact.parity] == ["onnxruntime"]
    assert fact.worst.measured_db >= fact.worst.allowed_db == 90


def test_another_schema_version_is_named(tmp_path, artifact):
    value = json.loads((artifact / FILE_NAME).read_bytes()) | {"schema_version": 7}
    (tmp_path / FILE_NAME).write_text(json.dumps(value))
    with pytest.raises(BadArtifact, match="schema version 7, expected 4"):
        read_manifest(tmp_path)


def test_the_sha256_of_a_package_is_over_its_listing(tmp_path):
    package = tmp_path / "x.mlpackage"
    (package / "Data" / "deep").mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    (package / "Data" / "deep" / "weight.bin").write_bytes(b"abc")
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in (("Data/deep/weight.bin", b"abc"), ("Manifest.json", b"{}"))
    )
    before = sha256_of_file(package)
    assert before == hashlib.sha256(lines.encode()).hexdigest()
    assert size_of_file(package) == 5
    (package / "Data" / "deep" / "weight.bin").rename(package / "Data" / "weight.bin")
    assert sha256_of_file(package) != before
    assert size_of_file(package) == 5


def test_a_package_holds_its_files(artifact):
    manifest = read_manifest(artifact)
    path = manifest.files[0].path
    package = msgspec.structs.replace(manifest.files[0], path="x.mlpackage")
    held = msgspec.structs.replace(manifest, files=(package,))
    assert manifest.holds(path)
    assert held.holds("x.mlpackage/Data/com.apple.CoreML/model.mlmodel")
    assert held.holds(FILE_NAME)
    assert held.holds(manifest.probes[0].path)
    for foreign in (path, "x.mlpackage2/a", "probes/mine.txt", "notes.txt", f"mine/{FILE_NAME}"):
        assert not held.holds(foreign), foreign


def parity(runner: str, measured: float, allowed: float) -> ParityFact:
    return ParityFact(
        runner=runner,
        metric="psnr",
        measured_db=measured,
        allowed_db=allowed,
        max_abs_error=0.1,
        probes=1,
    )


def test_the_worst_parity_is_that_nearest_to_its_own_gate(artifact):
    fact = read_manifest(artifact).files[0]
    both = (parity("exact", 60.0, 50.0), parity("rounds", 58.0, 48.0), parity("bad", 70.0, 69.5))
    assert msgspec.structs.replace(fact, parity=both).worst.runner == "bad"
    assert all(item.passed for item in both)
    assert not parity("x", 49.99, 50.0).passed
    assert parity("x", 50.0, 50.0).passed


def test_a_file_takes_one_size_several_or_any(artifact):
    fact = next(f for f in read_manifest(artifact).files if "64x96" in f.path)
    small, wide, other = (SizeFact(height=h, width=w) for h, w in ((64, 96), (96, 64), (8, 8)))
    assert [fact.takes(size) for size in (small, wide, other)] == [True, False, False]
    several = msgspec.structs.replace(fact, sizes=(small, wide))
    assert [several.takes(size) for size in (small, wide, other)] == [True, True, False]
    assert msgspec.structs.replace(fact, size=None).takes(other)
