"""Outputs in float16: powers of two that are the same bits, and nothing past 65504."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from styleexport.core.errors import UsageError
from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.exporter.rewrites.choices import check_rewrites
from styleexport.exporter.rewrites.half_outputs import NAME, with_outputs_in_half_range
from styleexport.exporter.rewrites.half_range import within_half_range
from styleexport.exporter.rewrites.running_sums import forecast
from styleexport.exporter.targets._target import Recipe, Source
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.runners._runner import RunOptions
from tests.exporter.rewrites.half_tensors import HalfTensors
from tests.zoo import load_own

SIZE = Size(32, 40)
GAIN = 1e5
aten = torch.ops.aten


class Net(nn.Module):
    """A convolution to values of 10^5, what is tested, and a picture of it."""

    def __init__(self, body, back: float = 1.0, gain: float = GAIN) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = body
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1)
        self.c, self.d = nn.Conv2d(8, 3, 3), nn.Conv2d(16, 8, 1)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.norm, self.slope = nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)
        with torch.no_grad():
            self.a.weight.mul_(gain)
            for layer in (self.a, self.b, self.d, self.up):
                layer.bias.mul_(gain)
            self.c.weight.mul_(back)

    def forward(self, x):
        x = self.a(functional.pad(x, (1, 1, 1, 1), mode="reflect"))
        x = self.body(self, x)
        return torch.sigmoid(self.c(functional.pad(x, (1, 1, 1, 1), mode="reflect")))


def adain(_, x):
    c = x - x.mean((2, 3), keepdim=True)
    return c / (x.var((2, 3), keepdim=True) + 1e-5).sqrt() * 3 + 1


def upsampled(net, x):
    x = functional.interpolate(functional.relu(net.b(x)), scale_factor=2, mode="bilinear")
    return functional.max_pool2d(functional.interpolate(x, scale_factor=2), 4)


# Name → what lies between the convolutions, and whether values of 10^5 leave it.
BODIES = {
    "relu": (lambda n, x: functional.relu(x), True),
    "leaky relu": (
        lambda n, x: functional.leaky_relu(n.b(functional.leaky_relu(x, 0.2)), 0.2),
        True,
    ),
    "prelu": (lambda n, x: n.slope(x), True),
    "concat": (
        lambda n, x: n.d(torch.cat([functional.relu(x), functional.relu(n.b(x))], 1)),
        True,
    ),
    "residual": (lambda n, x: functional.relu(x) + n.b(functional.relu(x)), True),
    "instance norm": (lambda n, x: n.norm(functional.relu(x)), False),
    "norm and map": (
        lambda n, x: functional.instance_norm(x) + functional.relu(n.b(x)) * 1e-5,
        False,
    ),
    "adain": (adain, False),
    "upsample": (upsampled, True),
    "transposed": (lambda n, x: functional.avg_pool2d(n.up(functional.relu(x)), 2), True),
    "gate": (lambda n, x: x * torch.sigmoid(n.b(x * 1e-5).mean((2, 3), keepdim=True)), True),
    "gated norm": (
        lambda n, x: n.norm(x * torch.sigmoid(n.b(x * 1e-5).mean((2, 3), keepdim=True))),
        False,
    ),
    "clamp": (lambda n, x: functional.relu6(x * 1e-4) + x.clamp(-1e5, 1e5) * 1e-4, False),
    "zero and constant pads": (
        lambda n, x: functional.pad(functional.pad(x, (1, 1)), (0, 0, 1, 1), value=3.0)[
            :, :, 1:-1, 1:-1
        ],
        True,
    ),
}


class Half(HalfTensors):
    """Float16 sums in convolutions too."""

    def call_function(self, target, args, kwargs):
        if target is not aten.conv2d.default:
            return super().call_function(target, args, kwargs)
        x, weight, bias, *rest = (*args, None)[: max(3, len(args))]
        total = torch.zeros(())
        for first in range(0, x.shape[1], 4):
            block = slice(first, first + 4)
            total = (total + target(x[:, block], weight[:, block], None, *rest)).half().float()
        return total if bias is None else total + bias[:, None, None]


@cache
def graph_of(body: str, gain: float = GAIN):
    net, stays = BODIES[body]
    network = load_own(Net(net, 1 / gain if stays else 1.0, gain))
    graph, _ = apply_passes(capture(network, Role.STYLIZE, SIZE))
    rng = np.random.default_rng(0)
    shape = (1, 3, SIZE.height, SIZE.width)
    return graph, [{"content": rng.random(shape, np.float32)} for _ in range(4)]


@cache
def scaled_of(body: str):
    return with_outputs_in_half_range(*graph_of(body))


@pytest.mark.parametrize("body", BODIES)
def test_outputs_stay_inside_float16_and_are_the_same_bits(body):
    graph, feeds = graph_of(body)
    scaled, (fact,) = scaled_of(body)
    assert fact.name == NAME
    assert (fact.applied > 0, fact.refused) == (True, ())
    assert any("bias: conv2d by 2^-" in line for line in fact.reasons)
    assert "conv2d: values reach 107,9" in fact.reasons[0]
    image = torch.from_numpy(feeds[0]["content"])
    with torch.inference_mode():
        expected = graph.module()(image)
        assert torch.equal(scaled.module()(image), expected)
        before = Half(within_half_range(graph, feeds)[0].module()).run(image)
        after = Half(within_half_range(scaled, feeds)[0].module()).run(image)
    assert psnr_db(before.numpy(), expected.numpy(), 1.0) < 30
    assert psnr_db(after.numpy(), expected.numpy(), 1.0) >= 55
    reached = forecast(scaled.reading, feeds, LARGEST_FLOAT16 / 2)
    layers = {n: r.all for n, r in reached.items() if n.startswith("conv")}
    assert max(layers.values()) <= LARGEST_FLOAT16 / 2


def test_only_what_no_constant_takes_is_multiplied():
    multiplied = {}
    for body in BODIES:
        _, (fact,) = scaled_of(body)
        multiplied[body] = [line for line in fact.reasons if line.startswith("multiplied")]
    assert {body for body, lines in multiplied.items() if lines} == {"norm and map", "gated norm"}
    # A gate is one value a channel: that is multiplied, not the map.
    assert multiplied["gated norm"][0].endswith("takes the factor: sigmoid to 2^10")


def test_a_network_inside_the_range_is_returned_as_it_is():
    graph, feeds = graph_of("residual", gain=1.0)
    assert with_outputs_in_half_range(graph, feeds) == (graph, ())


def test_weights_too_small_for_float16_have_their_input_scaled():
    """Half the GPUs would flush them to zero."""
    _, (fact,) = scaled_of("relu")
    assert "conv2d_1: weights of 1.2e-06 at most, for values of up to 9" in fact.reasons[-2]
    assert fact.reasons[-1] == "scaled in weights and bias: conv2d by 2^-12"


def test_the_shipped_network_is_left_alone():
    network = open_network("adain-lite")
    graph, _ = apply_passes(capture(network, Role.TRANSFORM, Size(64, 64)), proven=False)
    feeds = calibration_inputs(network, read_calibration(None), graph).inputs[:4]
    assert with_outputs_in_half_range(graph, feeds) == (graph, ())
    source = Source(graph, lambda: feeds)
    assert source.half_range[1] == within_half_range(graph, feeds)[1]


def test_partial_sums_count_where_results_are_small():
    """1e5·x - 1e5·x is 0, and infinite on the way."""

    class Cancels(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(6, 3, 1, bias=False)
            with torch.no_grad():
                self.conv.weight.zero_()
                for i in range(3):
                    self.conv.weight[i, i] = 1e5
                    self.conv.weight[i, i + 3] = -1e5

        def forward(self, x):
            return torch.sigmoid(self.conv(torch.cat([x, x * 0.99999], 1)))

    graph, _ = apply_passes(capture(load_own(Cancels()), Role.STYLIZE, SIZE), ())
    feed = {"content": np.full((1, 3, SIZE.height, SIZE.width), 0.9, np.float32)}
    reach = forecast(graph.reading, [feed], LARGEST_FLOAT16 / 2)["conv2d"]
    assert reach.value < 2
    assert reach.sums == pytest.approx(9e4, rel=1e-3)
    scaled, (fact,) = with_outputs_in_half_range(graph, [feed])
    assert (fact.applied, fact.refused) == (2, ())
    image = torch.from_numpy(feed["content"])
    with torch.inference_mode():
        assert torch.equal(scaled.module()(image), graph.module()(image))


def test_an_output_out_of_range_is_named():
    class Far(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)
            nn.init.constant_(self.conv.weight, 1e5)

        def forward(self, x):
            return torch.sin(self.conv(x))

    graph, _ = apply_passes(capture(load_own(Far()), Role.STYLIZE, SIZE), ())
    feed = {"content": np.full((1, 3, SIZE.height, SIZE.width), 1.0, np.float32)}
    _, (fact,) = with_outputs_in_half_range(graph, [feed])
    assert len(fact.refused) == 1
    assert fact.refused[0].startswith("conv2d reaches 300,000, float16 ends at 65,504")
    assert fact.refused[0].endswith("keep it in float32")


def test_it_can_be_turned_off():
    graph, feeds = graph_of("relu")
    assert Source(graph, lambda: feeds, (NAME,)).half_outputs == (graph, ())
    check_rewrites([NAME])
    with pytest.raises(UsageError, match=NAME):
        check_rewrites(["scale-everything"])


def decibels(target, path, graph, feeds, runner, without=()):
    source = Source(graph, lambda: feeds, without)
    recipe = Recipe(Precision.FP16)
    written = target.lower(source, recipe).store(recipe, path)
    with torch.inference_mode():
        expected = graph.module()(torch.from_numpy(feeds[0]["content"])).numpy()
    with runner.open(path, RunOptions(threads=1)) as session:
        return psnr_db(session(feeds[0])["image"], expected, 1.0), written


def test_onnx_files_have_it(tmp_path):
    """ONNX Runtime computes float16 convolutions in float32 on CPUs: nothing overflows here."""
    pytest.importorskip("onnxruntime")
    from styleexport.exporter.targets.onnx import TARGET
    from styleexport.runtime_bench.runners.onnxruntime import RUNNER

    graph, feeds = graph_of("residual")
    _, plain = decibels(TARGET, tmp_path / "a.onnx", graph, feeds, RUNNER, (NAME,))
    kept, written = decibels(TARGET, tmp_path / "b.onnx", graph, feeds, RUNNER)
    assert kept >= 55
    assert NAME not in [fact.name for fact in plain.passes]
    assert written.passes[0].name == NAME
    assert "conv2d" in written.scaled_layers


@pytest.mark.slow
def test_packages_overflow_without_it_and_are_right_with_it(tmp_path):
    pytest.importorskip("coremltools")
    from styleexport.exporter.targets.coreml import TARGET
    from styleexport.runtime_bench.runners.coreml_reference import RUNNER

    graph, feeds = graph_of("concat")
    lost, _ = decibels(TARGET, tmp_path / "a.mlpackage", graph, feeds, RUNNER, (NAME,))
    kept, written = decibels(TARGET, tmp_path / "b.mlpackage", graph, feeds, RUNNER)
    assert (lost < 30, kept >= 50) == (True, True)
    assert written.passes[0].name == NAME


@pytest.mark.slow
@pytest.mark.parametrize("body", ["residual", "instance norm", "upsample"])
def test_tflite_files_overflow_without_it_and_are_right_with_it(body, tmp_path):
    pytest.importorskip("litert_torch")
    from styleexport.exporter.targets.tflite import TARGET
    from styleexport.runtime_bench.runners.litert_half import RUNNER

    graph, feeds = graph_of(body)
    lost, _ = decibels(TARGET, tmp_path / "a.tflite", graph, feeds, RUNNER, (NAME,))
    kept, written = decibels(TARGET, tmp_path / "b.tflite", graph, feeds, RUNNER)
    assert (lost < 30, kept >= 55) == (True, True), (lost, kept)
    assert written.passes[0].name == NAME
