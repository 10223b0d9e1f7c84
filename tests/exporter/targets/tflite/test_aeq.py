"""An int8 recipe as a TFLite file follows it: ranges, float layers, granularity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import CalibrationFact, SizeFact, TensorFact
from styleexport.core.recipe import FloatLayer, Int8Recipe, Range, Settings
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace

pytest.importorskip("litert_torch")

from styleexport.exporter.targets._target import Recipe
from styleexport.exporter.targets.tflite import TARGET
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

SIZE = Size(16, 24)
IMAGE = {"kind": "image", "shape": (1, 3, 16, 24), "dtype": "float32", "layout": "NCHW"}
CONTENT = TensorFact(name="content", **IMAGE)
RANGES = {
    "content": Range(0, 1),
    "relu": Range(0, 2.55),
    "conv2d_1": Range(-1, 1.55),
    "relu_1": Range(0, 1.02),
    "conv_transpose2d": Range(-1, 1),
}


class Clamped(nn.Module):
    """A last convolution whose values are cut to the picture's."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.last(x).clamp(0, 1)


class Painter(nn.Module):
    """A merged ReLU, a shared convolution, a transposed one, and a last one that is amplified."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.shared = nn.Conv2d(8, 8, 3, stride=2)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.last = nn.Conv2d(8, 3, 3)

    def forward(self, x):
        x = F.relu(self.first(F.pad(x, (1, 1, 1, 1), mode="reflect")))
        x = self.shared(F.pad(x, (1, 1, 1, 1), mode="reflect"))
        means = x.mean((2, 3), keepdim=True)
        x = self.up(F.relu(x)) + means
        return torch.sigmoid(self.last(F.pad(x, (1, 1, 1, 1), mode="reflect")))


def captured(module: nn.Module) -> Graph:
    program = trace(module, example_inputs((CONTENT,), SIZE), (CONTENT,), False, 1)
    return Graph(
        program, Role.STYLIZE, SIZE, False, 1, (CONTENT,), (TensorFact(name="image", **IMAGE),)
    )


@pytest.fixture(scope="module")
def graph() -> Graph:
    torch.manual_seed(0)
    return captured(Painter().eval().requires_grad_(False))


def recipe(*float_layers: str, ranges=RANGES, **settings) -> Int8Recipe:
    return Int8Recipe(
        role=Role.STYLIZE,
        size=SizeFact.of(SIZE),
        settings=Settings(**settings),
        float_layers=tuple(FloatLayer(layer=name, reason="amplified") for name in float_layers),
        ranges=ranges,
        calibration=CalibrationFact(method="mse", images=3, styles=0, sha256="1" * 64),
    )


@pytest.fixture
def write(graph, tmp_path):
    """Writes a recipe's file: its graph, what the target said, what it did with the recipe."""

    def written(int8: Int8Recipe):
        path = tmp_path / "x.tflite"
        feeds = [{"content": x.numpy()} for x in example_inputs((CONTENT,), SIZE)]
        facts = TARGET.write(graph, Recipe(Precision.INT8, int8=int8), path, lambda: feeds)
        slices, transposed, fact = facts.passes
        assert (slices.name, slices.applied) == ("slice-reflection-pads", 3)
        assert transposed.name == "plain-transposed-convs"
        assert fact.name == "int8_recipe"
        return path, facts, fact

    return written


def tensors(path):
    return {tensor.name: tensor for tensor in read_graph(path).tensors}


def scale(path, name: str) -> tuple[float, int]:
    tensor = tensors(path)[name]
    assert tensor.dtype == "int8"
    return round(tensor.scales[0], 6), tensor.zero_points[0]


def test_ranges_are_the_recipes_and_pads_pass_them_on(write):
    path, facts, fact = write(recipe("conv_transpose2d", "conv2d_2"))
    assert fact.refused == ()
    assert scale(path, "relu") == (0.01, -128)
    assert scale(path, "conv2d_1") == (0.01, -28)
    assert tensors(path)["relu_1"].dtype == "float32"  # all that reads it is float
    padded = [t for t in tensors(path).values() if t.shape == (1, 18, 26, 8)]
    assert {round(t.scales[0], 6) for t in padded if t.dtype == "int8"} == {0.01}
    quantization = facts.quantization
    assert (quantization.scheme, quantization.per_channel) == ("static", True)
    assert quantization.calibration.method == "mse"


def test_islands_stay_in_float_also_where_a_relu_is_merged(write):
    path, facts, _ = write(recipe("conv_transpose2d", "conv2d_2", "conv2d"))
    found = {item.layer: item.integer for item in describe_execution(path).convolutions}
    assert found["conv2d_1"]
    assert not found["relu"]  # holds conv2d and its ReLU
    assert sum(found.values()) == 1
    assert facts.int8_mac_share < 0.5
    float_layer = facts.quantization.float_islands[0]
    assert (float_layer.ops, float_layer.reason) == (
        ("conv_transpose2d", "conv2d_2", "conv2d"),
        "amplified",
    )


def test_a_scale_a_tensor_or_a_channel(write):
    def counts(path):
        tensors = read_graph(path).tensors
        return {len(t.scales) for t in tensors if t.dtype == "int8" and t.stored is not None}

    float_layers = ("conv_transpose2d", "conv2d_2")
    assert counts(write(recipe(*float_layers))[0]) == {8}
    path, facts, _ = write(recipe(*float_layers, weights="per-tensor"))
    assert counts(path) == {1}
    assert not facts.quantization.per_channel


def test_what_the_file_does_not_follow_is_said(write):
    ranges = {name: RANGES[name] for name in ("content", "relu")}
    path, _, fact = write(recipe("conv2d_2", "conv2d_7", ranges=ranges))
    transposed, unknown, missing = fact.refused
    assert transposed.endswith("stays in float: int8 costs transposed convolutions 5 dB in LiteRT")
    assert unknown == "conv2d_7 is to stay in float, but the file has no such convolution"
    assert missing == "conv2d_1 has no range in the recipe: its own, min-max, is taken"
    assert scale(path, "relu") == (0.01, -128)
    assert scale(path, "conv2d_1") != (0.01, -28)
    assert {item.integer for item in describe_execution(path).convolutions} == {True, False}


def test_a_convolution_has_the_range_of_the_clamp_behind_it(tmp_path):
    path = tmp_path / "x.tflite"
    graph = captured(Clamped().eval().requires_grad_(False))
    int8 = recipe(ranges={"content": Range(0, 1), "clamp": Range(0, 1)})
    written = TARGET.write(graph, Recipe(Precision.INT8, int8=int8), path, list)
    assert written.passes[-1].refused == ()
    assert scale(path, "conv2d") == (0.003922, -128)


def test_nothing_but_islands_is_refused(write):
    with pytest.raises(UnsupportedOp, match="type --precision int8-weights"):
        write(recipe("conv2d", "conv2d_1", "conv2d_2", "conv_transpose2d"))


def test_the_file_runs_and_stays_close(write, graph):
    from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

    (content,) = example_inputs((CONTENT,), SIZE)
    expected = graph.module()(content).numpy()
    wide = {name: Range(-2, 2) if item.low else item for name, item in RANGES.items()}
    path, _, _ = write(recipe("conv_transpose2d", "conv2d_2", ranges=wide))
    with find_runner("litert").open(path, RunOptions(threads=1)) as session:
        (image,) = session({"content": content.numpy()}).values()
    assert 0 < np.abs(image - expected).max() < 0.03


def test_a_relu_in_int8_is_a_change_of_scale(tmp_path):
    class Shared(nn.Module):
        """A ReLU that no convolution is merged with, between two of them."""

        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

        def forward(self, x):
            x = self.first(x)
            return self.last(F.relu(x)) + x.mean((1, 2, 3), keepdim=True)

    torch.manual_seed(0)
    graph = captured(Shared().eval().requires_grad_(False))
    ranges = {"content": Range(0, 1), "conv2d": Range(-3, 3), "relu": Range(0, 3)}
    path = tmp_path / "shared.tflite"
    feeds = [{"content": x.numpy()} for x in example_inputs((CONTENT,), SIZE)]
    int8 = recipe(ranges=ranges)
    TARGET.write(graph, Recipe(Precision.INT8, int8=int8), path, lambda: feeds)
    read = read_graph(path)
    assert "RELU" not in {item.name for item in read.operations}
    (item,) = (x for x in read.operations if x.name == "QUANTIZE" and _integers(read, x))
    assert read.tensors[item.outputs[0]].zero_points == (-128,)
    picture = torch.rand(1, 3, SIZE.height, SIZE.width)
    with find_runner("litert").open(path, RunOptions()) as session:
        (found,) = session({"content": picture.numpy()}).values()
    expected = graph.module()(picture)
    expected = expected[0] if isinstance(expected, tuple) else expected
    assert np.abs(found - expected.numpy()).mean() < 0.01


def _integers(graph, item):
    return graph.tensors[item.inputs[0]].dtype == "int8"
