"""Statistics in float16: exact rewrites, and nothing past 65504 on any hardware."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from styleexport.core import plugins
from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import example_inputs
from styleexport.exporter.graph.rewrite import Pass, apply_passes
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.exporter.rewrites.half_range import within_half_range
from styleexport.exporter.rewrites.spatial_means import expand_norms
from styleexport.models.network_spec import NETWORKS as PACKAGE
from styleexport.models.networks._gatys import GatysNetwork
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.runners._runner import RunOptions
from tests.exporter.rewrites.half_tensors import HalfTensors
from tests.zoo import ALIKE, load_own, load_random, load_thin

SIZE = Size(48, 64)
aten = torch.ops.aten
AXES = (2, 3)


def mean(x):
    return x.mean(AXES, keepdim=True)


def naoto(x):
    """The mean and deviation of the most copied AdaIN, by views and expansions."""
    n, c = x.shape[:2]
    deviation = (x.view(n, c, -1).var(dim=2) + 1e-5).sqrt().view(n, c, 1, 1)
    average = x.view(n, c, -1).mean(dim=2).view(n, c, 1, 1)
    return (x - average.expand(x.shape)) / deviation.expand(x.shape)


def by_sum(x):
    c, count = x - mean(x), x.shape[2] * x.shape[3]
    return c / ((c * c).sum(AXES, keepdim=True) * (1 / (count - 1)) + 1e-5).sqrt()


NORMS = {
    "instance norm": functional.instance_norm,
    "affine norm": nn.InstanceNorm2d(3, affine=True),
    "two instance norms": lambda x: functional.instance_norm(functional.instance_norm(x) * 900),
    "var": lambda x: (x - mean(x)) / (x.var(AXES, keepdim=True) + 1e-5).sqrt(),
    "var, flat": lambda x: (x - mean(x)) / (x.var(AXES) + 1e-5).sqrt()[:, :, None, None],
    "var, biased": lambda x: (
        (x - mean(x)) * torch.rsqrt(x.var(AXES, unbiased=False, keepdim=True) + 1e-5)
    ),
    "var, correction": lambda x: (
        (x - mean(x)) / (torch.var(x, AXES, correction=0, keepdim=True) + 1e-5).sqrt()
    ),
    "var of a norm": lambda x: functional.instance_norm(x).var(AXES, keepdim=True) + x * 0,
    "std": lambda x: (x - mean(x)) / (x.std(AXES, keepdim=True) + 1e-5),
    "std, flat": lambda x: (x - mean(x)) / (x.std(AXES).reshape(1, -1, 1, 1) + 1e-5),
    "std, biased": lambda x: (x - mean(x)) / (x.std(AXES, unbiased=False, keepdim=True) + 1e-5),
    "power": lambda x: (x - mean(x)) / (mean((x - mean(x)) ** 2) + 1e-5).sqrt(),
    "square": lambda x: (x - mean(x)) / (mean((x - mean(x)).square()) + 1e-5).sqrt(),
    "sum": by_sum,
    "view": naoto,
}


class Own(nn.Module):
    """A convolution to values of ``gain`` (by channel), what is tested, and a picture of it."""

    def __init__(self, norm, *gain: float) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.norm = norm
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        gains = torch.tensor(gain or 1.0).expand(3)
        with torch.no_grad():
            self.conv.weight.mul_(gains.view(3, 1, 1, 1))
            self.conv.bias.mul_(gains)

    def forward(self, x):
        return torch.sigmoid(self.norm(self.conv(x)))


@cache
def pictures():
    return read_calibration(None)


def graph_of(module: nn.Module):
    network = load_own(module)
    graph, _ = apply_passes(capture(network, Role.STYLIZE, SIZE))
    return graph, calibration_inputs(network, pictures(), graph).inputs


@cache
def graph_of_norm(norm: str, *gain: float):
    """The graph of one of `NORMS`, and what it is calibrated with; shared, never changed."""
    return graph_of(Own(NORMS[norm], *gain))


class Bounds(torch.fx.Interpreter):
    """Notes the largest value of a tensor, and the largest sum of |x| of a reduction."""

    def __init__(self, module):
        super().__init__(module)
        self.values, self.sums = {}, {}

    def run_node(self, n):
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and n.users:
            self.values[n.name] = float(value.abs().max())
        if n.target in (aten.mean.dim, aten.sum.dim_IntList):
            axes = n.args[1]
            self.sums[n.name] = float(self.env[n.args[0]].abs().sum(axes).max())
        return value


def bounds(graph, feeds):
    values, sums = {}, {}
    for feed in feeds:
        run = Bounds(graph.reading)
        with torch.inference_mode():
            run.run(*(torch.from_numpy(value) for value in feed.values()))
        values = {k: max(v, values.get(k, 0)) for k, v in run.values.items()}
        sums = {k: max(v, sums.get(k, 0)) for k, v in run.sums.items()}
    return values, sums


@pytest.mark.parametrize("norm", NORMS)
def test_every_way_to_write_a_norm_stays_inside_float16(norm):
    graph, feeds = graph_of_norm(norm, 4000.0)
    safe, facts = within_half_range(graph, feeds)
    # Applied: proven in float64. Otherwise the reason would be here.
    assert [fact.refused for fact in facts] == [(), ()]
    assert facts[1].applied > 0
    values, sums = bounds(safe, feeds)
    assert max(values.values()) < LARGEST_FLOAT16
    assert sums
    assert max(sums.values()) < LARGEST_FLOAT16
    inputs = example_inputs(graph.inputs, graph.size)
    with torch.inference_mode():
        expected = graph.module()(*inputs)
        close = safe.module()(*inputs)
        rounded = HalfTensors(safe.module()).run(*inputs)
    assert float((close - expected).abs().max()) < 2e-4
    assert psnr_db(rounded.numpy(), expected.numpy(), 1.0) > 40


@pytest.mark.parametrize("norm", [name for name in NORMS if name != "var of a norm"])
def test_the_same_definitions_pass_65504_without_the_scales(norm):
    graph, feeds = graph_of_norm(norm, 4000.0)
    plain, _ = apply_passes(graph, (Pass("expand-norms", 0, expand_norms),))
    assert max(max(found.values()) for found in bounds(plain, feeds)) > LARGEST_FLOAT16


@pytest.mark.parametrize("norm", [name for name in NORMS if name != "var of a norm"])
def test_flat_pictures_and_dead_channels_give_numbers(norm):
    """Beside a channel of small values and one of large values, one of none."""
    graph, feeds = graph_of_norm(norm, 1e-2, 0.0, 4000.0)
    safe, _ = within_half_range(graph, feeds)
    with torch.inference_mode():
        for colour in (0.0, 0.5, 1.0):
            image = torch.full((1, 3, SIZE.height, SIZE.width), colour)
            assert torch.isfinite(HalfTensors(safe.module()).run(image)).all(), colour
        image = example_inputs(graph.inputs, graph.size)[0]
        assert torch.isfinite(HalfTensors(safe.module()).run(image)).all()


def test_scales_are_proven_on_the_pictures_that_they_were_measured_on():
    """Random pictures of adain-residual have channels that are flat beside those of photographs."""
    graph, feeds = graph_of(Own(NORMS["var"]))
    _, facts = within_half_range(graph, [{"content": feeds[0]["content"] * np.float32(2000)}])
    assert (facts[1].applied > 0, facts[1].refused) == (True, ())


def test_the_default_network_stays_inside_float16():
    network = open_network()
    graph, _ = apply_passes(capture(network, Role.TRANSFORM, Size(256, 256)))
    feeds = calibration_inputs(network, pictures(), graph).inputs[:2]
    safe, facts = within_half_range(graph, feeds)
    assert [fact.refused for fact in facts] == [(), ()]
    values, sums = bounds(safe, feeds)
    assert max(values.values()) < LARGEST_FLOAT16
    assert max(sums.values()) < LARGEST_FLOAT16


# Networks that normalise nothing: half precision needs no scales.
WITHOUT_STATISTICS = ("style-swap", "gatys-enet", "gatys-vgg-eighth")


def cases():
    for name in plugins.names(PACKAGE):
        if name in ALIKE:
            continue
        roles = (Role.STYLIZE,) if name == "fast-style" else (Role.ENCODE, Role.TRANSFORM)
        roles = (Role.ENCODE, Role.CONTENT) if name.startswith("gatys") else roles
        slow = name != "adain-lite"
        for role in roles:
            yield pytest.param(name, role, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize(("name", "role"), list(cases()))
def test_it_is_exact_on_every_network(name, role):
    thin = name.startswith("adain-vgg")
    network = load_thin(name) if thin else load_random(name)
    if isinstance(network.module, GatysNetwork):  # as its weights are read
        network.module.normalize()
    graph, _ = apply_passes(capture(network, role, SIZE))
    feeds = calibration_inputs(network, pictures(), graph).inputs
    safe, facts = within_half_range(graph, feeds)
    assert [fact.refused for fact in facts] == [(), ()]
    assert (facts[1].applied > 0) != (name in WITHOUT_STATISTICS)
    # Eight at most; where there are more, none of those that the scales were taken from.
    values, sums = bounds(safe, feeds[1 :: max(1, len(feeds) // 8)])
    assert max(values.values()) < LARGEST_FLOAT16
    assert max(sums.values(), default=0.0) < LARGEST_FLOAT16


def test_a_square_of_something_else_is_named():
    graph, feeds = graph_of(Own(lambda x: x * mean(x * x).sqrt()))
    _, facts = within_half_range(graph, feeds)
    assert len(facts[1].refused) == 1
    assert "averages squares that are not those of a centred map" in facts[1].refused[0]


def test_a_package_overflows_without_it_and_is_right_with_it(tmp_path, monkeypatch):
    pytest.importorskip("coremltools")
    from styleexport.exporter.targets import _target, coreml
    from styleexport.exporter.targets._target import Recipe
    from styleexport.runtime_bench.runners.coreml_reference import RUNNER

    graph, feeds = graph_of(Own(NORMS["var"], 8000.0))
    feed = feeds[0]
    with torch.inference_mode():
        expected = graph.module()(torch.from_numpy(feed["content"])).numpy()

    def decibels(name):
        path = tmp_path / name
        coreml.TARGET.write(graph, Recipe(Precision.FP16), path, lambda: feeds)
        with RUNNER.open(path, RunOptions(threads=1)) as session:
            return psnr_db(session(feed)["image"], expected.astype(np.float32), 1.0)

    assert decibels("safe.mlpackage") >= 50
    monkeypatch.setattr(_target, "within_half_range", lambda graph, inputs: (graph, ()))
    assert decibels("plain.mlpackage") < 20
