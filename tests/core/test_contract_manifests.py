"""The contract's manifests and digests, read by the reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import read_manifest, sha256_of_file
from tests.contract.make import HERE, fixtures

INDEX = json.loads((HERE / "manifests" / "index.json").read_text())
SUMS = json.loads((HERE / "arithmetic.json").read_text())


def test_the_index_lists_every_fixture_with_its_digest():
    listed = {
        entry["file"]: entry["sha256"] for entry in json.loads((HERE / "index.json").read_text())
    }
    assert listed == {p.relative_to(HERE).as_posix(): sha256_of_file(p) for p in fixtures()}


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_a_manifest_is_read_or_refused_with_its_reason(entry, tmp_path):
    (tmp_path / "manifest.json").write_bytes((HERE / "manifests" / entry["file"]).read_bytes())
    if not entry["valid"]:
        with pytest.raises(BadArtifact) as caught:
            read_manifest(tmp_path)
        assert entry["error"] in str(caught.value)
        return
    manifest = read_manifest(tmp_path, check_files=False)
    facts = json.loads((tmp_path / "manifest.json").read_bytes())
    facts["network"].setdefault("pixels", None)  # manifests of before it was recorded
    layout = facts["network"].setdefault("code_layout", None)
    if layout is not None:
        layout.setdefault("reason", "")
    facts["network"] = {"optimization": None, "iterations": [], **facts["network"]}
    facts["files"] = [{"whitens": False, **file} for file in facts["files"]]
    for file in facts["files"]:  # of before files of any size in int8
        for part in (file.get("quality"), (file.get("quantization") or {}).get("calibration")):
            if part is not None:
                part.setdefault("sizes", [])
        for one in file["passes"]:  # of before rewrites were chosen
            one.setdefault("reasons", [])
    facts.setdefault("tilings", [])
    for pack in facts["styles"]:
        pack.setdefault("thumbnails", [])
    assert json.loads(manifest.encoded()) == facts
    assert (len(manifest.files), len(manifest.probes)) == (entry["files"], entry["probes"])
    assert manifest.network.name == entry["network"]
    assert entry["code_layout"] == layout
    thumbnails = [fact for pack in manifest.styles for fact in pack.thumbnails]
    assert {fact.style: fact.path for fact in thumbnails} == entry["thumbnails"]


def test_a_place_is_the_one_that_python_names():
    for entry in INDEX:
        if not entry["valid"]:
            named = re.search(r" at `([^`]+)`", entry["error"])
            assert named is None or named[1] == entry["where"]


def test_the_artifact_is_whole():
    manifest = read_manifest(HERE / "artifacts" / "colour-transfer")
    assert [Path(fact.path).suffix for fact in manifest.files[:3]] == [
        ".onnx",
        ".tflite",
        ".mlpackage",
    ]
    assert manifest.styles[0].names == ("dusk", "sea")
    for thumbnail in manifest.styles[0].thumbnails:
        with Image.open(HERE / "artifacts" / "colour-transfer" / thumbnail.path) as picture:
            assert (picture.format, picture.size) == ("JPEG", (128, 128))


@pytest.mark.parametrize("case", SUMS["sha256"], ids=lambda case: case["name"])
def test_a_digest_is_over_sorted_paths(case, tmp_path):
    root = tmp_path / "package"
    for part in case["files"]:
        path = root / part["path"] if part["path"] else root
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part["text"].encode())
    assert sha256_of_file(root) == case["expected"]
