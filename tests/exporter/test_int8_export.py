"""int8 files of an export: their budget, their recipe, what is said of those that fall short."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch

from styleexport.core.errors import QualityBudgetExceeded
from styleexport.core.manifest import SizeFact, read_manifest, sha256_of_file
from styleexport.core.recipe import Int8Recipe, Settings, read_recipe
from styleexport.core.thresholds import ALLOWED_DB
from styleexport.core.types import Precision, Role, Size, Sizing
from styleexport.exporter import int8_export
from styleexport.exporter.export_graph import DYNAMIC_INT8_SIZES
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.layer_map import compose_layer_maps
from styleexport.exporter.graph_job import ExportRun, GraphJob
from styleexport.exporter.int8_export import budget_of
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.quantize.calibration_inputs import SEVERAL_SIZES
from styleexport.exporter.recipes import DEFAULTS, OWN
from styleexport.exporter.search import candidates
from styleexport.exporter.targets._target import Recipe
from styleexport.exporter.targets.onnx import OnnxTarget
from styleexport.models.networks import wct
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.diff.diff import diff_files
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from tests.conftest import SMALL_BUDGET, load_own
from tests.exporter.conftest import CALIBRATION, Painter
from tests.exporter.graph.test_whitening import graph_of

SIZE = Size(64, 96)
OPTIONS = {"precisions": (Precision.INT8,), "roles": (Role.ENCODE,), "sizes": (SIZE,)}
NAME = "adain-lite_encode_64x96_int8"
# Of a few layers: what happens over budget does not depend on the network.
SMALL = {"precisions": (Precision.INT8,), "sizes": (Size(32, 48),)}
MINE = "mine_stylize_32x48_int8"


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    """What a search does with times is tested elsewhere; here they may be inexact."""
    monkeypatch.setattr(candidates, "ROUND_SECONDS", 0.0)


@pytest.fixture(scope="module")
def shipped():
    return open_network("adain-lite")


def test_a_file_inside_its_budget_says_what_it_loses(int8_artifact):
    manifest = read_manifest(int8_artifact)
    assert len(manifest.files) == len(manifest.recipes) == 2
    for fact, kept in zip(manifest.files, manifest.recipes, strict=True):
        assert (fact.recipe, fact.role, kept.precision) == (kept.path, kept.role, Precision.INT8)
        recipe = read_recipe(int8_artifact / kept.path)
        assert (recipe.role, recipe.size.size(), recipe.trials) == (fact.role, SIZE, ())
        assert recipe.calibration == fact.quantization.calibration
        quality = fact.quality
        assert quality.failures == ()
        assert quality.budget == str(Budget.parse(SMALL_BUDGET))
        assert 30 <= quality.psnr_db < 80
        assert quality.runner == "onnxruntime"
        assert (quality.style_change is None) == (fact.role is Role.ENCODE)
        assert fact.execution.integer_mac_share == fact.int8_mac_share == 1.0
        assert "equalize" in [item.name for item in fact.passes]
    encode, transform = (fact.quality for fact in manifest.files)
    assert encode.pictures < transform.pictures == 16


def test_over_budget_nothing_is_written_and_the_figures_are_kept(tmp_path):
    out = tmp_path / "a"
    with pytest.raises(QualityBudgetExceeded) as caught:
        export(ExportRequest(load_own(Painter()), out, **SMALL, budget="psnr>=150"))
    assert caught.value.exit_code == 3
    message = str(caught.value)
    assert message.startswith(f"{MINE}.onnx: psnr ")
    assert "at least 150.00 dB allowed; figures in " in message
    assert "--precision auto" in message
    assert "--allow-degraded" in message
    assert [p.name for p in tmp_path.iterdir()] == ["a.rejected.json"]
    (fact,) = json.loads((tmp_path / "a.rejected.json").read_bytes())["files"]
    assert fact["quality"]["budget"] == "psnr>=150"
    assert len(fact["quality"]["failures"]) == 1


def test_a_file_over_budget_is_refused_for_that_and_not_for_its_parity(tmp_path, monkeypatch):
    monkeypatch.setitem(ALLOWED_DB, Precision.INT8, 150.0)
    options = {"precisions": (Precision.INT8,), "sizes": (Size(32, 48),), "budget": "psnr>=150"}
    with pytest.raises(QualityBudgetExceeded, match="--precision auto"):
        export(ExportRequest(load_own(Painter()), tmp_path / "a", **options))


def test_a_degraded_file_says_so_in_its_name_and_in_the_manifest(tmp_path):
    request = ExportRequest(
        load_own(Painter()), tmp_path / "a", **SMALL, budget="psnr>=150", allow_degraded=True
    )
    exported = export(request)
    manifest = read_manifest(tmp_path / "a")
    assert manifest == exported.manifest
    (fact,) = manifest.files
    assert fact.path == f"{MINE}-degraded.onnx"
    assert list(exported.seconds) == [fact.path]
    assert fact.precision is Precision.INT8
    assert fact.quality.failures[0].endswith("measured, at least 150.00 dB allowed")
    assert not (tmp_path / "a" / f"{MINE}.onnx").exists()
    content = np.random.default_rng(0).random((1, 3, 32, 48), np.float32)
    with runner_for(tmp_path / "a" / fact.path).open(
        tmp_path / "a" / fact.path, RunOptions()
    ) as session:
        assert session({"content": content})["image"].shape == (1, 3, 32, 48)


def test_a_recipe_gives_the_same_file_again(shipped, int8_artifact, tmp_path):
    (made, *_) = read_manifest(int8_artifact).files
    recipe, said = read_recipe(int8_artifact / made.recipe), list[str]()
    request = ExportRequest(shipped, tmp_path / "a", **OPTIONS, recipe=recipe)
    (fact,) = export(request, said.append).manifest.files
    assert fact.sha256 == made.sha256
    assert sha256_of_file(tmp_path / "a" / fact.recipe) == sha256_of_file(
        int8_artifact / made.recipe
    )
    assert f"adain-lite_encode_64x96: recipe {recipe.settings.name}" in said


def test_a_recipe_with_other_choices_is_followed(shipped, int8_artifact, tmp_path):
    (made, *_) = read_manifest(int8_artifact).files
    recipe = read_recipe(int8_artifact / made.recipe)
    settings = msgspec.structs.replace(recipe.settings, weights="per-tensor", equalize=0.0)
    other = msgspec.structs.replace(recipe, settings=settings)
    request = ExportRequest(shipped, tmp_path / "a", **OPTIONS, recipe=other, allow_degraded=True)
    (fact,) = export(request).manifest.files
    assert fact.sha256 != made.sha256
    assert not fact.quantization.per_channel
    assert read_recipe(tmp_path / "a" / fact.recipe).settings == settings


def test_a_searched_file_stays_inside_its_budget_and_its_recipe_gives_it_again(tmp_path):
    network, said = load_own(Painter()), list[str]()
    options = {"sizes": (Size(32, 48),), "budget": "psnr>=30, style<=+50%"}
    request = ExportRequest(network, tmp_path / "a", precisions=(Precision.AUTO,), **options)
    manifest = export(request, said.append).manifest
    (fact,) = manifest.files
    assert fact.path == "mine_stylize_32x48_auto.onnx"
    assert fact.quality.failures == ()
    assert fact.quality.psnr_db >= 30
    recipe = read_recipe(tmp_path / "a" / fact.recipe)
    assert [trial for trial in recipe.trials if trial.on_front]
    assert all(item.reason for item in recipe.float_layers)
    assert any("of float32's time" in line for line in said)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]
    again = ExportRequest(
        network, tmp_path / "b", precisions=(Precision.INT8,), recipe=recipe, **options
    )
    (same,) = export(again).manifest.files
    assert same.path == "mine_stylize_32x48_int8.onnx"
    assert same.sha256 == fact.sha256


def test_a_search_that_nothing_satisfies_ends_with_code_3(tmp_path):
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.a = torch.nn.Conv2d(3, 8, 3, padding=1)
            self.b = torch.nn.Conv2d(8, 3, 3, padding=1)

        def forward(self, content):
            return self.b(torch.relu(self.a(content))).clamp(0, 1)

    request = ExportRequest(
        load_own(Two()),
        tmp_path / "a",
        precisions=(Precision.AUTO,),
        sizes=(Size(32, 48),),
        budget="psnr>=150",
    )
    with pytest.raises(QualityBudgetExceeded, match=r"no int8 file stays inside psnr>=150: with"):
        export(request)
    assert not (tmp_path / "a").exists()


def test_each_precision_has_a_budget_and_a_request_its_own(shipped, tmp_path):
    def budget(precision, *, chooses=False, **options):
        request = ExportRequest(shipped, tmp_path / "a", **options)
        run = ExportRun(request, None, (), tmp_path, print)
        graph = SimpleNamespace(chooses=chooses, reading=SimpleNamespace(graph=nodes))
        return str(budget_of(GraphJob(run, None, graph, (), ()), precision))

    nodes = torch.fx.Graph()

    assert budget(Precision.INT8) == "psnr>=35, style<=+5%"
    assert budget(Precision.AUTO) == "psnr>=38, style<=+5%"
    assert budget(Precision.AUTO, budget="ssim>=0.9") == "ssim>=0.9"
    assert budget(Precision.INT8, chooses=True) == str(Budget.parse(DEFAULTS.choices["int8"]))
    nodes = graph_of(wct.NETWORK, levels="1").reading.graph
    assert budget(Precision.INT8) == "ssim>=0.8, style<=+5%"


def test_layers_are_followed_through_a_rewritten_graph():
    found = compose_layer_maps(
        {"conv2d": "conv2d", "relu": "relu_7"}, {"relu_7": "t7", "conv2d_1": "c1"}
    )
    assert found == {"relu": "t7"}


def test_files_of_two_targets_are_held_against_each_other(shipped, tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    out = tmp_path / "both"
    request = ExportRequest(shipped, out, targets=("onnx", "tflite"), **OPTIONS)
    (found,) = export(request).manifest.agreements
    assert (found.a, found.b) == (f"{NAME}.onnx", f"{NAME}.tflite")
    assert 40 < found.measured_db <= 200


def test_layers_of_an_int8_file_are_compared_with_their_gains_undone(int8_artifact):
    fact = read_manifest(int8_artifact).files[1]
    assert set(fact.scaled_layers) < set(fact.layers)
    assert len([name for name in fact.layers if name.startswith("conv2d")]) > 8
    path = int8_artifact / fact.path
    report = diff_files(path, path, layers=True).report
    assert any(layer.scaled for layer in report.layers)
    assert min(layer.psnr_db for layer in report.layers) > 100


@pytest.mark.parametrize("better", ["min-max", "mse"])
def test_a_file_over_budget_is_tried_with_other_ranges(tmp_path, monkeypatch, better):
    real = int8_export.measure_plan

    def measured(job, plan):
        found = real(job, plan)
        psnr = 50.0 if plan.recipe.settings.ranges == better else 40.0
        return replace(found, reports=(msgspec.structs.replace(found.worst, psnr_db=psnr),))

    monkeypatch.setattr(int8_export, "measure_plan", measured)
    out, said = tmp_path / "a", []
    request = ExportRequest(
        load_own(Painter()), out, budget="psnr>=90", allow_degraded=True, **SMALL
    )
    export(request, said.append)
    assert [line for line in said if "first are over budget" in line]
    manifest = read_manifest(out)
    (fact,) = manifest.files
    (kept,) = manifest.recipes
    assert fact.path == f"{MINE}-degraded.onnx"
    assert read_recipe(out / kept.path).settings.ranges == better
    assert fact.quantization.calibration.method == better


def test_budgets_of_several_targets_leave_room_for_their_rounding():
    stricter = Budget.parse("psnr>=38, style<=+5%").stricter(0.3)
    assert (stricter.limit("psnr"), stricter.limit("style")) == (38.3, 0.05)


def test_a_graph_is_lowered_once_for_all_that_share_a_conversion(tmp_path, monkeypatch):
    lowered: list[tuple[Graph, object]] = []
    real = OnnxTarget.lower

    def lower(self, source, recipe):
        lowered.append((source.graph, recipe.precision))
        return real(self, source, recipe)

    monkeypatch.setattr(OnnxTarget, "lower", lower)
    request = ExportRequest(
        load_own(Painter()),
        tmp_path / "a",
        precisions=(Precision.FP32, Precision.FP16, Precision.INT8, Precision.INT8_WEIGHTS),
        sizes=(Size(32, 48),),
        allow_degraded=True,
        budget="psnr>=0",
    )
    manifest = export(request).manifest
    assert len(manifest.files) == 4
    # The equalized graph of the int8 file, measured for the choice of its ranges, and the plain.
    assert [precision for _, precision in lowered] == [Precision.INT8, Precision.FP32]
    assert lowered[0][0] is not lowered[1][0]


@pytest.mark.slow
def test_a_file_of_any_size_is_judged_at_sizes_that_no_range_was_taken_from(tmp_path, shipped):
    request = ExportRequest(
        shipped,
        tmp_path / "a",
        precisions=(Precision.INT8,),
        roles=(Role.ENCODE,),
        sizes=(SIZE,),
        sizing=Sizing.ANY,
        budget="psnr>=100",
        allow_degraded=True,
    )
    manifest = export(request).manifest
    (fact,) = manifest.files
    assert fact.path == "adain-lite_encode_any_int8-degraded.onnx"
    assert fact.int8_mac_share == fact.execution.integer_mac_share == 1
    assert fact.worst.probes == 5
    assert fact.worst.measured_db > 40
    proven = [item.size.size() for item in fact.quality.sizes]
    assert proven == list(DYNAMIC_INT8_SIZES)
    calibration = fact.quantization.calibration
    assert [item.size() for item in calibration.sizes] == list(SEVERAL_SIZES)
    assert not {SIZE, *proven}.intersection(SEVERAL_SIZES)
    assert all(item.psnr_db > 50 for item in (fact.quality, *fact.quality.sizes))
    # Each size is held to the budget.
    assert len(fact.quality.failures) == 5
    assert fact.quality.failures[1].startswith("200x264: psnr ")
    (kept,) = manifest.recipes
    assert kept.size == SizeFact.of(SIZE)
    assert read_recipe(tmp_path / "a" / kept.path).size == SizeFact.of(SIZE)


def test_wider_activations_and_narrower_weights_say_what_they_are(tmp_path, shipped):
    pytest.importorskip("styleexport.exporter.targets.coreml")
    pytest.importorskip("styleexport.exporter.targets.tflite")
    request = ExportRequest(
        shipped,
        tmp_path / "a",
        targets=("onnx", "tflite", "coreml"),
        precisions=(Precision.INT8_A16, Precision.PALETTE4_INT8),
        roles=(Role.ENCODE,),
        sizes=(SIZE,),
    )
    manifest = export(request).manifest
    facts = {fact.target: fact for fact in manifest.files}
    assert [(f.target, f.precision, f.quantization.activation_dtype) for f in manifest.files] == [
        ("onnx", "int8-a16", "uint16"),
        ("tflite", "int8-a16", "int16"),
        ("coreml", "palette4-int8", "int8"),
    ]
    # ONNX Runtime multiplies no integers of 16 bits, LiteRT does.
    assert facts["onnx"].int8_mac_share == facts["onnx"].execution.integer_mac_share == 0
    assert facts["tflite"].int8_mac_share == facts["tflite"].execution.integer_mac_share == 1
    assert facts["coreml"].int8_mac_share == 1
    for fact, least in zip(manifest.files, (55, 55, 25), strict=True):
        assert fact.quality.psnr_db > least
    assert facts["coreml"].quality.budget == DEFAULTS.budgets[Precision.PALETTE4_INT8]
    assert [kept.precision for kept in manifest.recipes] == ["int8-a16", "palette4-int8"]
    settings = [read_recipe(tmp_path / "a" / kept.path).settings for kept in manifest.recipes]
    assert settings == list(OWN.values())
    for target in ("onnx", "tflite"):
        assert any("16 bits" in risk.reason for risk in facts[target].risks)
    (agreement,) = manifest.agreements
    assert agreement.measured_db > 55


def recipe_with(weights: str) -> Int8Recipe:
    return Int8Recipe(
        role=Role.ENCODE,
        size=SizeFact.of(SIZE),
        settings=Settings(weights=weights),
        float_layers=(),
        ranges={},
        calibration=CALIBRATION,
    )


def test_precisions_of_core_ml_share_what_they_can():
    coreml = pytest.importorskip("styleexport.exporter.targets.coreml")
    target = coreml.CoremlTarget()
    shared = (
        Precision.FP16,
        Precision.INT8_WEIGHTS,
        Precision.PALETTE4,
        Precision.PALETTE6,
        Precision.PALETTE8,
    )
    assert len({target.lowering(Recipe(precision)) for precision in shared}) == 1
    assert target.lowering(Recipe(Precision.FP32)) != target.lowering(Recipe(Precision.FP16))
    per_channel, per_tensor = (
        target.lowering(Recipe(Precision.INT8, int8=recipe_with(weights)))
        for weights in ("per-channel", "per-tensor")
    )
    assert (per_channel.system, per_channel.whole_scales) == (17, False)
    assert per_tensor.whole_scales


@pytest.fixture(scope="module")
def for_openvino(tmp_path_factory):
    """int8 files of one network, for ONNX Runtime and for OpenVINO."""
    folders = []
    for runtime in ("onnxruntime", "openvino"):
        out = tmp_path_factory.mktemp(runtime) / "artifact"
        network = load_own(Painter())
        target = OnnxTarget(runtime=runtime)
        export(ExportRequest(network, out, (target,), **SMALL, budget=SMALL_BUDGET))
        folders.append(out)
    return folders


def test_files_for_openvino_round_what_the_next_convolution_reads_alone(for_openvino):
    plain, unrounded = (read_manifest(folder).files[0] for folder in for_openvino)
    assert unrounded.ops["QuantizeLinear"] < plain.ops["QuantizeLinear"]
    assert unrounded.quality.psnr_db > plain.quality.psnr_db + 1
    assert unrounded.int8_mac_share == plain.int8_mac_share == 1
    (said,) = (x for x in unrounded.passes if x.name == "openvino")
    assert "ONNX Runtime computes the others in float" in said.reasons[0]
    assert any("run the file in OpenVINO" in risk.remedy for risk in unrounded.risks)
    assert not any("OpenVINO" in risk.remedy for risk in plain.risks)


def test_openvino_computes_them_in_integers(for_openvino):
    from styleexport.runtime_bench.runners._runner import find_runner

    path = for_openvino[1] / read_manifest(for_openvino[1]).files[0].path
    compiled = find_runner("openvino").compiled(path, RunOptions())
    products = [
        info["runtimePrecision"].value
        for info in (node.get_rt_info() for node in compiled.get_runtime_model().get_ops())
        if info["layerType"].value in ("Convolution", "Deconvolution")
    ]
    assert products and set(products) <= {"u8", "i8"}


def test_rewrites_and_their_reasons_stand_in_the_manifest(for_openvino, tmp_path):
    fact = read_manifest(for_openvino[0]).files[0]
    (phases,) = (x for x in fact.passes if x.name == "phase-transposed-convs")
    assert phases.applied == 1 and "integers" in phases.reasons[0]
    without = ("phase-transposed-convs",)
    request = ExportRequest(
        load_own(Painter()), tmp_path / "off", **SMALL, budget=SMALL_BUDGET, without=without
    )
    (fact,) = export(request).manifest.files
    assert "phase-transposed-convs" not in [x.name for x in fact.passes]
    assert fact.int8_mac_share < 1
