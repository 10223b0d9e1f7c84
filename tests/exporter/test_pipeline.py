from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from styleexport.core import plugins
from styleexport.core.errors import ParityFailure, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.registry import PACKAGE
from styleexport.runtime_bench import parity

SIZE = Size(40, 56)
CASES = [
    (target, precision)
    for target in plugins.names(TARGETS)
    for precision in find_target(target).precisions
]


@pytest.mark.parametrize("network", plugins.names(PACKAGE))
@pytest.mark.parametrize(("target", "precision"), CASES)
def test_every_network_exports_at_every_precision(
    network, target, precision, random_network, tmp_path, monkeypatch
):
    # Random weights amplify rounding: what is checked is that it runs, not how well it paints.
    monkeypatch.setitem(parity.ALLOWED_DB, Precision.INT8, 5.0)
    monkeypatch.setitem(parity.ALLOWED_DB, Precision.INT8_WEIGHTS, 15.0)
    if network == "adain-vgg16" and precision is not Precision.FP32:
        pytest.skip("the graph of adain-vgg19 with fewer layers")
    request = ExportRequest(
        random_network(network), tmp_path / "a", target, precision, sizes=(SIZE,)
    )
    manifest = export(request)
    assert read_manifest(tmp_path / "a") == manifest
    for fact in manifest.files:
        assert fact.precision is precision
        assert fact.parity is not None
        assert fact.parity.passed
        if precision is Precision.INT8:
            assert fact.int8_mac_share > 0.8
            assert fact.quantization is not None
            assert fact.quantization.calibration is not None
    present = {p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.*")}
    assert present == {"manifest.json", *manifest.known_paths()}


def test_the_same_network_gives_the_same_bytes(random_network, tmp_path, monkeypatch):
    monkeypatch.setitem(parity.ALLOWED_DB, Precision.INT8, 5.0)
    monkeypatch.setitem(parity.ALLOWED_DB, Precision.INT8_WEIGHTS, 15.0)
    for precision in Precision:
        found = []
        for name in ("a", "b"):
            out = tmp_path / f"{name}-{precision}"
            export(
                ExportRequest(random_network("adain-lite"), out, precision=precision, sizes=(SIZE,))
            )
            found.append(
                {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
            )
        assert found[0].keys() == found[1].keys()
        for path, content in found[0].items():
            assert content == found[1][path], path


def test_no_file_of_an_artifact_names_this_machine(artifact):
    here = str(artifact.parents[1]).encode()
    source = str(__import__("styleexport").__file__).rsplit("/", 2)[0].encode()
    for path in artifact.rglob("*"):
        if path.is_file():
            assert here not in path.read_bytes()
            assert source not in path.read_bytes()


def test_one_file_a_size_and_role(artifact):
    assert sorted(f.path for f in read_manifest(artifact).files) == [
        "adain-lite_encode_64x64_fp32.onnx",
        "adain-lite_encode_64x96_fp32.onnx",
        "adain-lite_transform_64x64_fp32.onnx",
        "adain-lite_transform_64x96_fp32.onnx",
    ]


def test_files_are_self_contained_and_state_their_opset(artifact):
    for fact in read_manifest(artifact).files:
        model = onnx.load(artifact / fact.path, load_external_data=False)
        assert model.opset_import[0].version == fact.opset == 18
        assert not any(item.external_data for item in model.graph.initializer)


def test_fp16_keeps_float_inputs_and_outputs(random_network, tmp_path):
    request = ExportRequest(
        random_network("adain-lite"), tmp_path / "a", precision=Precision.FP16, sizes=(SIZE,)
    )
    for fact in export(request).files:
        session = ort.InferenceSession(str(tmp_path / "a" / fact.path))
        values = [*session.get_inputs(), *session.get_outputs()]
        assert {value.type for value in values} == {"tensor(float)"}
        weights = onnx.load(tmp_path / "a" / fact.path).graph.initializer
        big = [item for item in weights if np.prod(item.dims) > 100]
        assert {item.data_type for item in big} == {onnx.TensorProto.FLOAT16}


def test_a_dynamic_file_is_proven_at_four_sizes(random_network, tmp_path):
    network = random_network("adain-lite")
    request = ExportRequest(network, tmp_path / "a", sizes=(Size(64, 64),), dynamic=True)
    for fact in export(request).files:
        assert fact.size is None
        assert fact.path.endswith("_any_fp32.onnx")
        assert fact.parity is not None
        assert fact.parity.probes == 4
    session = ort.InferenceSession(str(tmp_path / "a" / "adain-lite_transform_any_fp32.onnx"))
    code = np.random.default_rng(0).random((1, 480), np.float32)
    content = np.random.default_rng(1).random((1, 3, 77, 50), np.float32)
    one = np.ones(1, np.float32)
    (image,) = session.run(None, {"content": content, "style_code": code, "strength": one})
    module = network.role_module(Role.TRANSFORM)
    with torch.no_grad():
        expected = module(*map(torch.from_numpy, (content, code, one))).numpy()
    assert image.shape == (1, 3, 77, 50)
    np.testing.assert_allclose(image, expected, atol=1e-4)


def test_a_file_that_differs_is_rejected_and_its_report_kept(random_network, tmp_path, monkeypatch):
    monkeypatch.setitem(parity.ALLOWED_DB, Precision.FP32, 500.0)
    out = tmp_path / "a"
    with pytest.raises(ParityFailure, match=r"psnr .* measured with onnxruntime, at least 500"):
        export(ExportRequest(random_network("adain-lite"), out, sizes=(SIZE,)))
    assert not out.exists()
    report = json.loads((tmp_path / "a.rejected.json").read_bytes())
    assert report["files"][0]["parity"]["allowed_db"] == 500
    assert [p.name for p in tmp_path.iterdir()] == ["a.rejected.json"]


def test_an_earlier_artifact_is_replaced_but_foreign_files_are_not(random_network, tmp_path):
    request = ExportRequest(random_network("adain-lite"), tmp_path / "a", sizes=(Size(32, 32),))
    export(request)
    export(request)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes.txt, which an export would destroy"):
        export(request)
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"


def test_int8_cannot_be_dynamic(random_network, tmp_path):
    request = ExportRequest(
        random_network("adain-lite"), tmp_path / "a", precision=Precision.INT8, dynamic=True
    )
    with pytest.raises(UsageError, match="int8 ranges are calibrated for fixed sizes"):
        export(request)


def test_int8_of_the_shipped_network_keeps_the_picture(int8_artifact):
    for fact in read_manifest(int8_artifact).files:
        assert fact.int8_mac_share == 1.0
        assert fact.parity is not None
        assert fact.parity.measured_db > 28


def test_the_present_folder_is_never_replaced(random_network, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for out in (".", "..", str(tmp_path)):
        request = ExportRequest(
            random_network("adain-lite"), Path(out), sizes=(SIZE,), overwrite=True
        )
        with pytest.raises(UsageError, match="the present folder or one above it"):
            export(request)
