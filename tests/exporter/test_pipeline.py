from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from styleexport.core import plugins
from styleexport.core.errors import BadArtifact, MissingExtra, ParityFailure, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.thresholds import ALLOWED_DB, chooses
from styleexport.core.types import Precision, Role, Size, Sizing
from styleexport.exporter import export_graph
from styleexport.exporter import rejected as gates
from styleexport.exporter import request as request_module
from styleexport.exporter.pipeline import ExportRequest, check_out, export
from styleexport.exporter.targets._target import PACKAGE as TARGETS
from styleexport.exporter.targets._target import find_target
from styleexport.models.network_spec import NETWORKS as PACKAGE
from tests.exporter.conftest import Painter
from tests.zoo import ALIKE, case, load_own, load_random

SIZE = Size(40, 56)
SMALL = Size(32, 32)


# One of each kind of operation: Apple's runtime here is slow, and another conversion each.
IN_CORE_AI = (
    *("adain-lite", "adain-cd16x", "adain-residual", "fast-style", "gatys-vgg-eighth"),
    *("linear-wct", "microast", "style-swap", "wct"),
)
# ExecuTorch takes 5 to 40 s to lower a graph: networks of all forms that it is written in.
LOWERED = ("adain-lite", "adain-cd16x", "adain-densenet121", "fast-style", "microast")
SLOW_TARGETS = {"coreai": IN_CORE_AI, "executorch": LOWERED}
# Steps of gatys-vgg-eighth have the same gradients.
TWICE = (("gatys-enet", "tflite"),)


def matrix():
    for network in plugins.names(PACKAGE):
        for target in plugins.names(TARGETS):
            if network == "adain" or (network in ALIKE and target != "onnx"):
                continue
            if (network, target) in TWICE:
                continue
            if network not in SLOW_TARGETS.get(target, (network,)):
                continue
            yield case(network, target, slow=(network, target) != ("adain-lite", "onnx"))


def check_facts(fact) -> None:
    """What every file of every target states of itself."""
    assert fact.worst.passed
    assert sum(fact.ops.values()) > 10
    # Gains of int8 recipes multiply the channels of most layers: those have no tensor of their own.
    # XNNPACK gives no inner tensors.
    assert fact.recipe or len(fact.layers) > 10 or fact.target == "executorch"
    assert fact.peak_activation_bytes > 3 * fact.size.height * fact.size.width
    assert fact.version
    assert all(risk.where and risk.reason and risk.remedy for risk in fact.risks)
    assert fact.quantization is None or fact.precision not in (Precision.FP32, Precision.FP16)
    if fact.precision is Precision.INT8:
        assert fact.int8_mac_share > 0.8
        assert fact.quantization.calibration is not None
        assert fact.recipe is not None
        assert fact.quality.psnr_db > 0
        assert ("-degraded" in fact.path) == bool(fact.quality.failures)
    else:
        assert (fact.recipe, fact.execution) == (None, None)
        assert (fact.quality is not None) == chooses(fact)


@pytest.mark.parametrize(("network", "target"), list(matrix()))
def test_every_network_exports_to_every_target_and_precision(network, target, zoo):
    """With trained weights where they are here: those cover the graphs of random ones."""
    out = zoo.exported(network, target)
    manifest, precisions = read_manifest(out), zoo.precisions(network, target)
    assert [(f.role, f.precision) for f in manifest.files] == [
        (role, precision)
        for role in zoo.roles(network, target)
        for precision in ((Precision.FP32,) if role is Role.STEP else precisions)
    ]
    for fact in manifest.files:
        check_facts(fact)
    parts = [p.relative_to(out).as_posix() for p in out.rglob("*")]
    files = {part for part in parts if (out / part).is_file()}
    assert all(manifest.holds(part) for part in files)
    assert set(manifest.known_paths()) <= set(parts)


@pytest.mark.slow
@pytest.mark.xdist_group("zoo-adain-vgg19")
def test_a_network_of_its_full_width_has_the_graph_of_the_thin_one(zoo, random_network, tmp_path):
    """The zoo's VGG networks have an eighth of the channels."""
    thin = read_manifest(zoo.exported("adain-vgg19", "onnx")).files
    network = random_network("adain-vgg19")
    manifest = export(ExportRequest(network, tmp_path / "a", sizes=(SIZE,))).manifest
    expected = [(f.role, f.ops) for f in thin if f.precision is Precision.FP32]
    assert [(f.role, f.ops) for f in manifest.files] == expected
    assert all(fact.worst.passed for fact in manifest.files)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Every target at its default precision, from one capture."""
    out, captured = tmp_path_factory.mktemp("own") / "a", []
    targets = plugins.names(TARGETS)
    request = ExportRequest(
        load_random("adain-lite"), out, targets, roles=(Role.ENCODE,), sizes=(SMALL,)
    )
    with pytest.MonkeyPatch.context() as patch:
        real = export_graph.capture
        patch.setattr(
            export_graph, "capture", lambda *a, **k: captured.append(a[1]) or real(*a, **k)
        )
        exported = export(request)
    return out, exported, captured


def test_all_targets_come_from_one_capture(own):
    out, exported, captured = own
    manifest = exported.manifest
    assert captured == [Role.ENCODE]
    assert len(manifest.programs) == len(manifest.probes) == 1
    assert list(exported.seconds) == [fact.path for fact in manifest.files]
    assert min(exported.seconds.values()) > 0
    assert [fact.target for fact in manifest.files] == list(plugins.names(TARGETS))
    precisions = {fact.target: fact.precision for fact in manifest.files}
    assert precisions == {t: find_target(t).default_precision for t in plugins.names(TARGETS)}
    assert {"torch", "numpy", "onnx", "coremltools", "ai-edge-litert"} <= set(manifest.tools)
    scaled = [
        fact.target
        for fact in manifest.files
        if "scale-statistics" in {each.name for each in fact.passes}
    ]
    assert scaled == ["coreai", "coreml"]
    assert read_manifest(out) == manifest


def test_a_layer_of_the_network_is_in_every_target(own):
    _, exported, _ = own
    named = [fact for fact in exported.manifest.files if fact.target != "executorch"]
    shared = set.intersection(*(set(fact.layers) for fact in named))
    assert len([name for name in shared if name.startswith("relu")]) > 2
    for fact in exported.manifest.files:
        assert len(set(fact.layers)) == len(fact.layers)


def test_a_package_is_an_earlier_artifact_too(own, tmp_path):
    out, _, _ = own
    check_out(out, overwrite=False)
    package = next(out.glob("*.mlpackage"))
    foreign = package.with_name("mine.mlpackage")
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    try:
        with pytest.raises(UsageError, match=r"holds mine.mlpackage/notes.txt, which an export"):
            check_out(out, overwrite=False)
    finally:
        (foreign / "notes.txt").unlink()
        foreign.rmdir()


def test_an_edited_package_is_told(own, tmp_path):
    copy = shutil.copytree(own[0], tmp_path / "copy")
    weights = next(copy.rglob("weight.bin"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(BadArtifact, match=r"mlpackage was altered: its sha256 is"):
        read_manifest(copy)


def test_a_target_that_is_not_installed(random_network, tmp_path, monkeypatch):
    def find(name):
        if name == "coreml":
            raise MissingExtra("coreml needs coremltools: pip install 'styleexport[coreml]'")
        return find_target(name)

    monkeypatch.setattr(request_module, "find_target", find)
    network, said = random_network("adain-lite"), list[str]()
    options = {"targets": ("coreml", "onnx"), "roles": (Role.ENCODE,), "sizes": (SMALL,)}
    with pytest.raises(MissingExtra, match="pip install"):
        export(ExportRequest(network, tmp_path / "a", **options))
    assert not (tmp_path / "a").exists()
    request = ExportRequest(network, tmp_path / "a", **options, skip_missing=True)
    manifest = export(request, said.append).manifest
    assert [fact.target for fact in manifest.files] == ["onnx"]
    assert "skipped: coreml needs coremltools" in said[0]
    assert "coremltools" not in manifest.tools


def test_one_package_takes_several_sizes(tmp_path):
    from styleexport.runtime_bench.coreml_program.package import read_package
    from styleexport.runtime_bench.runners._runner import RunOptions
    from styleexport.runtime_bench.runners.coreml_reference import RUNNER

    sizes = (SMALL, Size(32, 48))
    torch.manual_seed(0)
    first, last = (
        nn.Conv2d(*ends, 3, padding=1, padding_mode="reflect") for ends in ((3, 8), (8, 3))
    )
    request = ExportRequest(
        load_own(nn.Sequential(first, nn.ReLU(), last, nn.Sigmoid())),
        tmp_path / "a",
        ("coreml",),
        (Precision.FP32,),
        sizes=sizes,
        sizing=Sizing.ENUMERATED,
    )
    manifest = export(request).manifest
    (fact,) = manifest.files
    assert fact.path == "mine_stylize_enumerated_fp32.mlpackage"
    assert len(manifest.probes) == 2
    assert (fact.size, [size.size() for size in fact.sizes]) == (None, list(sizes))
    assert fact.worst.probes == 2
    assert fact.worst.measured_db > 90
    assert "slice-reflection-pads" in [p.name for p in fact.passes if p.applied]
    package = read_package(tmp_path / "a" / fact.path)
    pads = [op for op in package.operations if op.kind == "pad"]
    assert not [op for op in pads if "reflect" in str(op.inputs.get("mode"))]
    assert "concat" in fact.ops
    with (
        RUNNER.open(tmp_path / "a" / fact.path, RunOptions()) as session,
        pytest.raises(UsageError, match="takes content as 32x32, 32x48; got 40x40"),
    ):
        session({"content": np.zeros((1, 3, 40, 40), np.float32)})


@pytest.mark.slow
def test_the_same_network_gives_the_same_bytes(tmp_path):
    found = []
    for name in ("a", "b"):
        request = ExportRequest(
            load_own(Painter()),
            tmp_path / name,
            plugins.names(TARGETS),
            (Precision.INT8, Precision.PALETTE8),
            sizes=(SMALL,),
            allow_degraded=True,
        )
        export(request)
        found.append(
            {
                path.relative_to(tmp_path / name): path.read_bytes()
                for path in (tmp_path / name).rglob("*")
                if path.is_file()
            }
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
        assert model.opset_import[0].version == 18
        assert fact.version == "opset 18"
        assert not any(item.external_data for item in model.graph.initializer)


def test_fp16_keeps_float_inputs_and_outputs(zoo):
    out = zoo.exported("adain-lite", "onnx")
    files = [f for f in read_manifest(out).files if f.precision is Precision.FP16]
    assert len(files) == 2
    for fact in files:
        session = ort.InferenceSession(str(out / fact.path))
        values = [*session.get_inputs(), *session.get_outputs()]
        assert {value.type for value in values} == {"tensor(float)"}
        weights = onnx.load(out / fact.path).graph.initializer
        big = [item for item in weights if np.prod(item.dims) > 100]
        assert {item.data_type for item in big} == {onnx.TensorProto.FLOAT16}


def test_a_dynamic_file_is_proven_at_four_sizes(random_network, tmp_path):
    network = random_network("adain-lite")
    request = ExportRequest(network, tmp_path / "a", sizes=(Size(64, 64),), sizing=Sizing.ANY)
    for fact in export(request).manifest.files:
        assert fact.size is None
        assert fact.path.endswith("_any_fp32.onnx")
        assert fact.worst.probes == 4
        assert fact.peak_activation_bytes is None
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


def test_a_file_that_differs_is_rejected_and_its_report_kept(tmp_path, monkeypatch):
    monkeypatch.setitem(ALLOWED_DB, Precision.FP32, 500.0)
    out = tmp_path / "a"
    with pytest.raises(ParityFailure, match=r"psnr .* measured with onnxruntime, at least 500"):
        export(ExportRequest(load_own(Painter()), out, sizes=(SIZE,)))
    assert not out.exists()
    report = json.loads((tmp_path / "a.rejected.json").read_bytes())
    assert report["files"][0]["parity"][0]["allowed_db"] == 500
    assert [p.name for p in tmp_path.iterdir()] == ["a.rejected.json"]


def test_the_worst_file_is_named_with_its_float32_figure(own, tmp_path, monkeypatch):
    _, exported, _ = own
    coreml = next(f for f in exported.manifest.files if f.target == "coreml")
    low = msgspec.structs.replace(coreml.parity[0], measured_db=20.0, float32_db=99.5)
    bad = msgspec.structs.replace(coreml, parity=(low,))
    manifest = msgspec.structs.replace(exported.manifest, files=(bad,))
    with pytest.raises(ParityFailure, match=r"psnr 20.0 dB .*\(99.5 dB with all in float32\)"):
        gates.raise_parity_failure(tmp_path / "a", manifest, [bad])
    report = json.loads((tmp_path / "a.rejected.json").read_bytes())
    assert report["files"][0]["parity"][0]["float32_db"] == 99.5


def test_an_earlier_artifact_is_replaced_but_foreign_files_are_not(tmp_path):
    request = ExportRequest(load_own(Painter()), tmp_path / "a", sizes=(Size(32, 32),))
    export(request)
    export(request)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes.txt, which an export would destroy"):
        export(request)
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"


def test_int8_of_the_shipped_network_keeps_the_picture(int8_artifact):
    for fact in read_manifest(int8_artifact).files:
        assert fact.int8_mac_share == 1.0
        assert fact.worst.measured_db > 28


def test_the_present_folder_is_never_replaced(random_network, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for out in (".", "..", str(tmp_path)):
        request = ExportRequest(
            random_network("adain-lite"), Path(out), sizes=(SIZE,), overwrite=True
        )
        with pytest.raises(UsageError, match="the present folder or one above it"):
            export(request)
