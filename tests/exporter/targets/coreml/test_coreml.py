"""Core ML packages: what they hold, what they say, and that they mean what the network means."""

from __future__ import annotations

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
from styleexport.core.manifest import NetworkFact, sha256_of_file
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.graph.sample import SAMPLES, Sample
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreml_reference import RUNNER
from tests.conftest import load_own

pytest.importorskip("coremltools")

from coremltools.proto import Model_pb2

from styleexport.exporter.targets import coreml
from styleexport.exporter.targets._target import Recipe
from styleexport.exporter.targets.coreml import CoremlTarget

ROOT = Path(__file__).parents[4]
SIZE = Size(32, 48)
AXES = (2, 3)


class Tiny(nn.Module):
    """An AdaIN network of two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 24, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(24, 3, 3, padding=1, padding_mode="reflect")

    def encode(self, style):
        features = self.first(style)
        return torch.cat([features.mean(AXES), features.std(AXES)], 1)

    def transfer(self, content, code, strength):
        features = functional.relu(self.first(content))
        mean, deviation = code.view(1, 48, 1, 1).split(24, 1)
        painted = functional.instance_norm(features) * deviation + mean
        mixed = strength * painted + (1 - strength) * features
        return torch.sigmoid(self.last(mixed))


NETWORK = load_own(Tiny())
FACT = NetworkFact(
    name="tiny",
    summary="two convolutions",
    paper="a paper",
    licence="MIT",
    source=("t.pth",),
    source_sha256="ab" * 32,
    min_side=16,
    roles=(Role.ENCODE, Role.TRANSFORM),
)


def graph_of(network, role=Role.TRANSFORM, size=SIZE):
    return apply_passes(capture(network, role, size))[0]


@pytest.fixture(scope="module")
def graph():
    return graph_of(NETWORK)


@pytest.fixture(scope="module")
def feeds(graph):
    inputs = calibration_inputs(NETWORK, read_calibration(None), graph).inputs
    return lambda: inputs


@pytest.fixture(scope="module")
def packages(graph, feeds, tmp_path_factory):
    """Precision → package and what was written."""
    folder, made = tmp_path_factory.mktemp("packages"), {}

    def make(precision: Precision):
        if precision not in made:
            path = folder / f"{precision}.mlpackage"
            written = CoremlTarget().write(graph, Recipe(precision, FACT), path, feeds)
            made[precision] = path, written
        return made[precision]

    return make


def model_of(path: Path) -> Model_pb2.Model:
    content = (path / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes()
    return Model_pb2.Model.FromString(content)


def outputs(path, inputs, runner=RUNNER):
    with runner.open(path, RunOptions(threads=1)) as session:
        return session(inputs)["image"]


def expected_of(graph, inputs):
    with torch.inference_mode():
        return graph.module()(*map(torch.from_numpy, inputs.values())).numpy()


@pytest.mark.parametrize(
    ("precision", "allowed"),
    [("fp32", 100), ("fp16", 55), ("int8-weights", 40), ("palette8", 40), ("palette4", 20)],
)
def test_every_precision_means_what_the_network_means(packages, graph, feeds, precision, allowed):
    path, written = packages(Precision(precision))
    # As a pixel buffer holds it: multiples of 1/255.
    inputs = feeds()[0]
    assert psnr_db(outputs(path, inputs), expected_of(graph, inputs), 1.0) > allowed
    assert written.float_dtype == ("float32" if precision == "fp32" else "float16")
    assert (written.quantization is None) == precision.startswith("fp")


@pytest.mark.parametrize(
    ("precision", "stored", "operation"),
    [
        ("int8-weights", "int8 (per channel)", "constexpr_affine_dequantize"),
        ("palette4", "palette 4-bit", "constexpr_lut_to_dense"),
        ("palette6", "palette 6-bit", "constexpr_lut_to_dense"),
        ("palette8", "palette 8-bit", "constexpr_lut_to_dense"),
    ],
)
def test_weights_are_stored_compressed(packages, precision, stored, operation):
    path, written = packages(Precision(precision))
    description = describe(path)
    assert description.ops[operation] == 2
    assert description.bytes_by_dtype[stored] > 0
    assert describe(packages(Precision.FP16)[0]).bytes_by_dtype["float16"] > 2 * 24 * 27 * 2
    # Biases and scales are left, no weight of a convolution.
    assert description.bytes_by_dtype["float16"] < 24 * 27 * 2
    fact = written.quantization
    assert fact.scheme == ("weights-only" if precision == "int8-weights" else "palette")
    assert fact.weight_dtype == ("int8" if precision == "int8-weights" else f"uint{precision[-1]}")
    assert fact.per_channel == (precision == "int8-weights")


def test_pictures_are_pixel_buffers_and_codes_float32(packages):
    description = describe(packages(Precision.FP16)[0])
    assert description.inputs == (
        "content: image RGB 8-bit, 32x48",
        "style_code: multi-array float32, [1, 48]",
        "strength: multi-array float32, [1]",
    )
    assert description.outputs == ("image: image RGB 8-bit, 32x48",)


def test_tensors_on_request(graph, feeds, tmp_path):
    target, path = CoremlTarget(images=False), tmp_path / "t.mlpackage"
    target.write(graph, Recipe(Precision.FP32), path, feeds)
    description = describe(path)
    assert description.inputs[0] == "content: multi-array float32, [1, 3, 32, 48]"
    assert description.outputs[0].startswith("image: multi-array float32")
    assert target.tensors(graph) == (graph.inputs, graph.outputs)
    pixels, _ = CoremlTarget().tensors(graph)
    assert (pixels[0].dtype, pixels[0].layout, pixels[0].pixel_range) == (
        "uint8",
        "pixels",
        (0, 255),
    )
    assert pixels[1:] == graph.inputs[1:]
    noise = np.random.default_rng(0).random((1, 3, 32, 48), np.float32)
    inputs = feeds()[0] | {"content": noise}
    assert psnr_db(outputs(path, inputs), expected_of(graph, inputs), 1.0) > 100


def test_xcode_shows_what_it_is(packages):
    about = model_of(packages(Precision.FP16)[0]).description
    assert about.metadata.author == "a paper; exported by styleexport"
    assert about.metadata.license == "MIT"
    assert about.metadata.versionString == "ab" * 6
    assert about.metadata.shortDescription == (
        "tiny, two convolutions. This role paints a photograph in the style of a code."
    )
    assert dict(about.metadata.userDefined) == {
        "styleexport.network": "tiny",
        "styleexport.role": "transform",
        "styleexport.roles": "encode, transform",
        "styleexport.paper": "a paper",
        "styleexport.weights": "t.pth",
        "styleexport.weights_sha256": "ab" * 32,
        "styleexport.pixels": "RGB in 0..255, a pixel buffer",
    }
    words = {item.name: item.shortDescription for item in (*about.input, *about.output)}
    assert words["content"] == "the photograph: RGB in 0..255, a pixel buffer"
    assert words["image"] == "the result: RGB in 0..255, a pixel buffer"
    assert words["strength"].startswith("strength of the style, 0")
    assert words["style_code"].startswith("style code")


@pytest.mark.parametrize(("ios", "specification"), [(16, 7), (17, 8), (18, 9)])
def test_the_system_decides_the_specification(graph, feeds, tmp_path, ios, specification):
    path = tmp_path / "s.mlpackage"
    CoremlTarget(ios=ios).write(graph, Recipe(Precision.FP32), path, feeds)
    assert model_of(path).specificationVersion == specification
    inputs = feeds()[0]
    assert psnr_db(outputs(path, inputs), expected_of(graph, inputs), 1.0) > 100


def test_settings_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="iOS 15: expected 16, 17 or 18; type --ios 16"):
        CoremlTarget(ios=15)
    with pytest.raises(UsageError, match="computes in fp16 or fp32, not int8: type --arithmetic"):
        CoremlTarget(arithmetic=Precision.INT8)


def test_compressed_weights_can_compute_in_fp32(graph, feeds, tmp_path):
    target = CoremlTarget(arithmetic=Precision.FP32)
    path = tmp_path / "p.mlpackage"
    written = target.write(graph, Recipe(Precision.INT8_WEIGHTS), path, feeds)
    assert written.float_dtype == "float32"
    assert written.passes == ()
    assert "float16" not in describe(path).bytes_by_dtype


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-weights"])
def test_layers_are_in_the_package_with_their_values(packages, graph, precision):
    path, written = packages(Precision(precision))
    convolutions = {name for name in graph.layer_names() if name.startswith("conv2d")}
    assert convolutions <= set(written.layers) <= set(graph.layer_names())
    inputs = dict(zip(("content", "style_code", "strength"), _examples(graph), strict=True))
    found = RUNNER.in_float32().layers(path, inputs, tuple(written.layers.values()))
    assert set(found) == set(written.layers.values())
    samples = graph.samples
    # The example picture is rounded to the 8 bits of a pixel buffer.
    allowed = {"fp32": 0.05, "fp16": 0.05, "int8-weights": 0.1}[precision]
    for layer, name in written.layers.items():
        if samples[layer].values.size <= SAMPLES:
            value = Sample.of(found[name])
            if layer in written.scaled_layers:
                value = value.without_gains(samples[layer])
            assert value.error(samples[layer]) < allowed, layer


def _examples(graph):
    return [value.numpy() for value in example_inputs(graph.inputs, graph.size)]


class Own(nn.Module):
    def __init__(self, variance) -> None:
        super().__init__()
        self.variance = variance

    def forward(self, x):
        centred = x - x.mean(AXES, keepdim=True)
        return 0.5 + 0.15 * centred / torch.sqrt(self.variance(x, centred))


def summed(x, centred):
    return (centred * centred).sum(AXES, keepdim=True) * (1 / (x.shape[2] * x.shape[3] - 1))


def unbiased(x, centred):
    return x.var(AXES, unbiased=True, keepdim=True)


@pytest.mark.parametrize("variance", [summed, unbiased])
def test_an_unbiased_variance_stays_one(variance, tmp_path, monkeypatch):
    """coremltools takes sum·1/(n-1) for a mean from 32x32 on; without the work-round this shows."""
    network = load_own(Own(variance))
    graph = graph_of(network, Role.STYLIZE, Size(32, 32))
    target = CoremlTarget(images=False)
    noise = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)

    def error(name):
        target.write(graph, Recipe(Precision.FP32), tmp_path / name, list)
        output = outputs(tmp_path / name, {"content": noise}, RUNNER.in_float32())
        return float(np.abs(output - expected_of(graph, {"content": noise})).max())

    assert error("right.mlpackage") < 1e-5
    if variance is unbiased:  # written by coremltools itself, as a mean times n/(n-1)
        return
    monkeypatch.setattr(coreml, "BROKEN_PASSES", set())
    assert error("wrong.mlpackage") > 1e-4


class Bessel(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_an_operation_without_a_translation_is_named(tmp_path):
    graph = graph_of(load_own(Bessel()), Role.STYLIZE)
    with pytest.raises(
        UnsupportedOp, match=r"Core ML cannot express .*bessel_j0.*; replace that operation"
    ):
        CoremlTarget().write(graph, Recipe(Precision.FP32), tmp_path / "x.mlpackage", list)
    assert not (tmp_path / "x.mlpackage").exists()


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.exporter.targets.coreml.test_coreml import *
graph = graph_of(NETWORK)
inputs = calibration_inputs(NETWORK, read_calibration(None), graph).inputs
for precision in (Precision.FP16, Precision.INT8_WEIGHTS, Precision.PALETTE4):
    path = Path(sys.argv[1]) / f"{{precision}}.mlpackage"
    CoremlTarget().write(graph, Recipe(precision, FACT), path, lambda: inputs)
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(packages, tmp_path):
    subprocess.run(
        [sys.executable, "-c", PROGRAM.format(root=str(ROOT)), tmp_path],
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        cwd=ROOT,
        capture_output=True,
    )
    for precision in (Precision.FP16, Precision.INT8_WEIGHTS, Precision.PALETTE4):
        path, _ = packages(precision)
        assert sha256_of_file(tmp_path / path.name) == sha256_of_file(path), precision
