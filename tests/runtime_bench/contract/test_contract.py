"""The contract's jobs, probes and sums, and the generator that wrote them."""

from __future__ import annotations

import json
import shutil

import jsonschema
import numpy as np
import pytest

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import ProbeFact, SizeFact, read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Role
from styleexport.runtime_bench.contract.job import job_cells, job_from_json, json_schema
from styleexport.runtime_bench.parity import check_artifact, read_probe
from tests.contract import arithmetic, make

HERE = make.HERE
JOBS = json.loads((HERE / "jobs" / "index.json").read_text())
PROBES = json.loads((HERE / "probes" / "index.json").read_text())
SUMS = json.loads((HERE / "arithmetic.json").read_text())


def test_making_the_fixtures_again_changes_nothing(tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in (HERE / "index.json", *make.fixtures())}
    copy = shutil.copytree(HERE, tmp_path / "contract")
    monkeypatch.setattr(make, "HERE", copy)
    make.main()
    for path, raw in before.items():
        assert (copy / path.relative_to(HERE)).read_bytes() == raw, path


@pytest.mark.parametrize("entry", JOBS, ids=lambda entry: entry["file"])
def test_a_job_is_read_or_refused_with_its_reason(entry):
    raw = (HERE / "jobs" / entry["file"]).read_bytes()
    if entry["valid"]:
        jsonschema.validate(json.loads(raw), json.loads(json_schema()))
        assert job_from_json(raw, "job").nonce == make.NONCE
        return
    with pytest.raises(BadArtifact) as caught:
        job_from_json(raw, "job")
    assert str(caught.value).startswith(f"job {entry['error']}")
    assert "styleexport" in str(caught.value)


@pytest.mark.parametrize("entry", PROBES, ids=lambda entry: entry["file"])
def test_a_probe_is_read_or_refused(entry):
    size = SizeFact(height=8, width=12)
    fact = ProbeFact(path=entry["file"], role=Role.ENCODE, size=size, sha256="0" * 64)
    if not entry["valid"]:
        with pytest.raises(BadArtifact) as caught:
            read_probe(HERE / "probes", fact)
        assert entry["error"] in str(caught.value)
        return
    tensors = read_probe(HERE / "probes", fact)
    assert sorted(tensors) == [tensor["name"] for tensor in entry["tensors"]]
    for tensor in entry["tensors"]:
        found = tensors[tensor["name"]]
        assert list(found.shape) == tensor["shape"]
        for at in tensor["values"]:
            assert found.ravel()[at["index"]] == np.float32(at["value"])


def test_the_artifact_computes_what_its_probes_hold():
    folder = HERE / "artifacts" / "colour-transfer"
    found = check_artifact(folder, read_manifest(folder))
    assert {parity.passed for parities in found.values() for parity in parities} == {True}


def test_pixel_buffers_are_held_to_what_8_bits_allow():
    manifest = read_manifest(HERE / "artifacts" / "colour-transfer")
    allowed = {w.subject.role.value: w.allowed_db for w in job_cells(manifest, (".mlpackage",))}
    assert allowed == {"encode": 90.0, "transform": 48.0}


def test_the_generator_is_seeded_as_the_page_is():
    random = arithmetic.Mulberry32(1)
    assert [int(random() * 2**32) for _ in range(2)] == [2693262067, 11749833]


@pytest.mark.parametrize("case", SUMS["psnr"])
def test_decibels(case):
    output = np.array([np.nan if v is None else v for v in case["output"]], np.float32)
    reference = np.array(case["reference"], np.float32)
    assert round(psnr_db(output, reference, case["peak"]), 2) == case["expected_db"]
