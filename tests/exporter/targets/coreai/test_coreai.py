"""Core AI assets: what they hold, what they say, and that Apple's runtime computes the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from styleexport.core.errors import UnsupportedOp, UsageError
from styleexport.core.manifest import CalibrationFact, NetworkFact, sha256_of_file
from styleexport.core.psnr import psnr_db
from styleexport.core.recipe import FloatLayer, Int8Recipe, Settings
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.graph.sample import Sample
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs
from styleexport.exporter.quantize.plan import make_plan
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreai import RUNNER
from tests.conftest import load_own

pytest.importorskip("coreai")

from styleexport.exporter.targets._target import Recipe, Source
from styleexport.exporter.targets.coreai import CoreaiTarget
from styleexport.exporter.targets.coreai.weights import kmeans
from styleexport.runtime_bench.formats._coreai import read_asset
from styleexport.runtime_bench.formats._coreai_graph import CoreaiGraph

ROOT = Path(__file__).parents[4]
SIZE = Size(32, 48)
FACT = NetworkFact(
    name="small",
    summary="four convolutions",
    paper="a paper",
    licence="MIT",
    source=("s.pth",),
    source_sha256="ab" * 32,
    min_side=16,
    roles=(Role.STYLIZE,),
)
CALIBRATION = CalibrationFact(method="min-max", images=2, styles=0, sha256="0" * 64)


class Small(nn.Module):
    """Four convolutions, a norm whose input is read elsewhere too, and all that moves values."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 16, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.third = nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(16, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content):
        x = functional.relu(self.first(content))
        x = functional.relu(self.second(functional.max_pool2d(x, 2, 2, ceil_mode=True)))
        x = self.third(functional.interpolate(x, scale_factor=2, mode="nearest"))
        return torch.sigmoid(self.last(functional.instance_norm(x) + functional.relu(x)))


@pytest.fixture(scope="module")
def graph():
    return apply_passes(capture(load_own(Small()), Role.STYLIZE, SIZE))[0]


@pytest.fixture(scope="module")
def source(graph):
    generator = torch.Generator().manual_seed(1)
    feeds = [{"content": torch.rand(1, 3, 32, 48, generator=generator).numpy()} for _ in range(2)]
    return Source(graph, lambda: feeds)


def planned(source, precision):
    """A recipe in the names of the graph with its rounded weights, and that graph as a source."""
    bits = 4 if precision is Precision.PALETTE4_INT8 else 8
    settings = Settings(rounding="reconstructed", weight_bits=bits)
    inputs = CalibrationInputs(source.inputs, CALIBRATION)
    plan = make_plan(source.graph, inputs, settings, forced_int8=("conv2d_3",))
    applied = plan.applied()
    return Source(applied.graph, lambda: source.inputs), applied.recipe


@pytest.fixture(scope="module")
def assets(source, tmp_path_factory):
    """Precision → asset and what was written."""
    folder, made = tmp_path_factory.mktemp("assets"), {}

    def make(precision: Precision):
        if precision not in made:
            of, int8 = source, None
            if precision in (Precision.INT8, Precision.PALETTE4_INT8):
                of, int8 = planned(source, precision)
            recipe, path = Recipe(precision, FACT, int8), folder / f"{precision}.aimodel"
            made[precision] = path, CoreaiTarget().lower(of, recipe).store(recipe, path)
        return made[precision]

    return make


def db(graph, path, inputs):
    expected = graph.reading(torch.from_numpy(inputs["content"])).detach().numpy()
    with RUNNER.open(path, RunOptions()) as session:
        return psnr_db(session(inputs)["image"], expected, 1.0)


@pytest.mark.parametrize(
    ("precision", "allowed"),
    [
        ("fp32", 110),
        ("fp16", 55),
        ("int8", 35),
        ("palette4-int8", 25),
        ("int8-weights", 40),
        ("palette8", 40),
        ("palette6", 30),
        ("palette4", 20),
    ],
)
def test_every_precision_means_what_the_network_means(assets, graph, source, precision, allowed):
    path, written = assets(Precision(precision))
    assert db(graph, path, source.inputs[0]) > allowed
    assert written.float_dtype == ("float32" if precision == "fp32" else "float16")
    assert (written.quantization is None) == precision.startswith("fp")
    assert sum(describe(path).ops[name] for name in ("conv2d",)) == 4


@pytest.mark.parametrize(
    ("precision", "stored", "operation"),
    [
        ("int8-weights", "int8", "blockwise_shift_scale"),
        ("palette4", "uint4", "lut_to_dense"),
        ("palette6", "uint6", "lut_to_dense"),
        ("palette8", "uint8", "lut_to_dense"),
    ],
)
def test_weights_are_stored_compressed(assets, precision, stored, operation):
    path, written = assets(Precision(precision))
    # The first and the last convolution have fewer than 512 weights.
    weights = 2 * 16 * 16 * 9
    kept = CoreaiGraph.of(read_asset(path))
    assert sum(item.kind == operation for item in kept.function.operations) == 2
    bits = int("".join(filter(str.isdigit, stored)))
    assert 0 <= describe(path).bytes_by_dtype[stored] - weights * bits // 8 < 64
    assert written.quantization.scheme == (
        "weights-only" if precision == "int8-weights" else "palette"
    )
    assert written.int8_mac_share == 0


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.PALETTE4_INT8])
def test_convolutions_read_integers_between_pairs_of_one_scale(assets, precision):
    path, written = assets(precision)
    program = CoreaiGraph.of(read_asset(path))
    assert written.int8_mac_share == describe(path).int8_mac_share == 1.0
    assert written.quantization.weight_dtype == ("int8" if precision is Precision.INT8 else "uint4")
    for item in program.steps:
        # What only moves values stands between pairs, as a convolution does.
        if item.kind in ("conv2d", "pad", "max_pool2d", "interpolate"):
            maker = program.producers[item.inputs[0]]
            assert maker.kind == "dequantize", item
            assert program.producers[maker.inputs[0]].kind == "quantize"
    # The picture and its padding; a ReLU, its pool and the padding; a ReLU, its upsampling and the
    # padding; a sum and its padding.
    assert sum(item.kind == "quantize" for item in program.steps) == 10
    assert written.passes[-1].applied == 4


def test_a_float_layer_stays_in_float(source, tmp_path):
    of, recipe = planned(source, Precision.INT8)
    kept = FloatLayer(layer="conv2d_3", reason="its rounding shows")
    recipe = Recipe(Precision.INT8, int8=_with(recipe, float_layers=(kept,)))
    path = tmp_path / "a.aimodel"
    written = CoreaiTarget().lower(of, recipe).store(recipe, path)
    assert 0.85 < written.int8_mac_share < 0.9
    assert written.passes[-1].applied == 3
    every = tuple(FloatLayer(layer=f"conv2d{n}", reason="-") for n in ("", "_1", "_2", "_3"))
    recipe = Recipe(Precision.INT8, int8=_with(recipe.int8, float_layers=every))
    with pytest.raises(UnsupportedOp, match="type --precision int8-weights"):
        CoreaiTarget().lower(of, recipe).store(recipe, tmp_path / "b.aimodel")


def _with(recipe: Int8Recipe, **changes) -> Int8Recipe:
    import msgspec

    return msgspec.structs.replace(recipe, **changes)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_layers_are_those_of_the_network(assets, graph, source, precision):
    path, written = assets(Precision(precision))
    inputs = dict(zip(["content"], example_inputs(graph.inputs, SIZE), strict=True))
    found = RUNNER.layers(
        path, {name: x.numpy() for name, x in inputs.items()}, tuple(written.layers.values())
    )
    assert {"conv2d", "conv2d_1", "conv2d_3", "relu", "pad", "max_pool2d"} <= set(written.layers)
    allowed = {"fp32": 1e-5, "fp16": 1e-2, "int8": 0.1}[precision]
    for layer, tensor in written.layers.items():
        error = Sample.of(found[tensor]).error(graph.samples[layer])
        assert error < allowed or layer in written.scaled_layers, (layer, tensor, error)


def test_statistics_of_half_precision_read_a_convolution_that_is_computed_once(assets):
    """Apple's compiler would compute it twice, once with a scale in its weights."""
    steps = CoreaiGraph.of(read_asset(assets(Precision.FP16)[0])).steps
    assert [item.outputs[0].dtype for item in steps if item.kind == "conv2d"] == ["float16"] * 4
    assert {item.outputs[0].dtype for item in steps if item.kind != "cast"} == {"float16"}


def test_an_asset_says_what_it_is(assets):
    about = json.loads((assets(Precision.FP16)[0] / "metadata.json").read_text())
    assert (about["author"], about["license"]) == ("a paper; exported by styleexport", "MIT")
    assert about["creationDate"] == "20000101T000000Z"
    found = describe(assets(Precision.FP16)[0])
    assert found.version == "asset 2.0, iOS 27 or later"
    assert found.about["description"] == (
        "small, four convolutions. This role paints a photograph."
    )
    assert found.about["styleexport.role"] == "stylize"
    assert found.inputs == ("content: float32 [1, 3, 32, 48]",)
    assert found.outputs == ("image: float32 [1, 3, 32, 48]",)


SCRIPT = """
import sys, tests.exporter.targets.coreai.test_coreai as t
from pathlib import Path
graph = t.apply_passes(t.capture(t.load_own(t.Small()), t.Role.STYLIZE, t.SIZE))[0]
source = t.Source(graph, lambda: [{"content": t.example_inputs(graph.inputs, t.SIZE)[0].numpy()}])
recipe = t.Recipe(t.Precision.FP32, t.FACT)
t.CoreaiTarget().lower(source, recipe).store(recipe, Path(sys.argv[1]))
print(t.sha256_of_file(Path(sys.argv[1])))
"""


def test_another_process_writes_the_same_bytes(graph, tmp_path):
    inputs = {"content": example_inputs(graph.inputs, SIZE)[0].numpy()}
    recipe, path = Recipe(Precision.FP32, FACT), tmp_path / "a.aimodel"
    CoreaiTarget().lower(Source(graph, lambda: [inputs]), recipe).store(recipe, path)
    other = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "b.aimodel")],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.split()[-1] == sha256_of_file(path)


def test_one_file_of_several_sizes_has_a_function_each_and_its_weights_once(assets, tmp_path):
    sizes = (Size(32, 48), Size(40, 24))
    captured = apply_passes(capture(load_own(Small()), Role.STYLIZE, SIZE, dynamic=True))[0]
    graph = captured.with_sizes(sizes)
    feeds = [{"content": np.random.default_rng(0).random((1, 3, 32, 48), np.float32)}]
    recipe, path = Recipe(Precision.FP16), tmp_path / "a.aimodel"
    CoreaiTarget().lower(Source(graph, lambda: feeds), recipe).store(recipe, path)
    assert set(read_asset(path).functions) == {"main_32x48", "main_40x24"}
    assert "functions" in describe(path).about
    one = describe(assets(Precision.FP16)[0]).size_bytes
    assert describe(path).size_bytes < 1.6 * one
    for size in sizes:
        shape = (1, 3, size.height, size.width)
        inputs = {"content": np.random.default_rng(1).random(shape, np.float32)}
        assert db(graph, path, inputs) > 55
    with (
        RUNNER.open(path, RunOptions()) as session,
        pytest.raises(UsageError, match=r"content \[1, 3, 32, 48\]; or content \[1, 3, 40, 24\]"),
    ):
        session({"content": np.zeros((1, 3, 16, 16), np.float32)})


class Sorted(nn.Module):
    """A network of an operation that the converter lacks."""

    def forward(self, content):
        return content.sort(dim=3).values


def test_an_operation_without_a_translation_is_named_with_its_node(tmp_path):
    graph = apply_passes(capture(load_own(Sorted()), Role.STYLIZE, SIZE))[0]
    recipe = Recipe(Precision.FP32)
    with pytest.raises(
        UnsupportedOp,
        match=r"Core AI cannot express the network at sort: .*aten.sort.*--target coreml",
    ):
        CoreaiTarget().lower(Source(graph, list), recipe).store(recipe, tmp_path / "a.aimodel")


def test_arithmetic_is_a_float_type():
    with pytest.raises(UsageError, match="fp16 or fp32, not int8: type --arithmetic fp16"):
        CoreaiTarget(arithmetic=Precision.INT8)


@pytest.mark.parametrize("count", [4, 64])
def test_palettes_are_no_worse_than_a_library_finds(count):
    cluster = pytest.importorskip("sklearn.cluster")
    weight = torch.randn(128, 90, generator=torch.Generator().manual_seed(0))
    indices, table = kmeans(weight, count)
    assert len(table) == count
    assert table[1:].gt(table[:-1]).all()
    error = float((table[indices.long()] - weight).square().sum())
    found = cluster.KMeans(count, n_init=1, random_state=0).fit(weight.reshape(-1, 1).numpy())
    assert error < 1.02 * found.inertia_


def test_a_weight_of_few_values_has_them_all_in_its_palette():
    weight = torch.tensor([[0.5, -1.0, 0.5, 2.0]])
    indices, table = kmeans(weight, 16)
    assert torch.allclose(table[indices.long()], weight.double(), atol=1e-9)
