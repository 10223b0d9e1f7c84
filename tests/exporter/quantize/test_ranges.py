"""Ranges that calibration gives."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.recipe import RangeMethod
from styleexport.exporter.quantize.blocks import find_blocks, ranged_layers
from styleexport.exporter.quantize.ranges import observe, ranges_of, watch
from tests.exporter.conftest import feeds_of, graph_of

METHODS = get_args(RangeMethod)
LAYERS = ("inputs_0", "conv2d", "clamp")


class Clamped(nn.Module):
    """One convolution whose values are cut to 0..6, and all of whose channels are above 1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.conv.weight.abs_()
            self.conv.bias.fill_(1.0)

    def forward(self, content):
        return F.hardtanh(self.conv(content), -0.5, 6.0)


@pytest.fixture(scope="module")
def clamped():
    return graph_of(Clamped())


def spikes() -> list[dict[str, np.ndarray]]:
    """Inputs with one value in a thousand far beyond the others, with either sign."""
    random = np.random.default_rng(0)
    value = random.normal(0, 0.1, (1, 3, 32, 48)).astype(np.float32)
    value[0, 0, 3, 5], value[0, 2, 7, 9] = 40, -40
    return [{"content": value}, {"content": -value}]


def test_extremes_are_kept_a_channel_over_all_inputs(clamped):
    module, feeds = clamped.module(), feeds_of(clamped)
    seen = observe(module, feeds, LAYERS)
    whole = np.concatenate([feed["content"] for feed in feeds])
    np.testing.assert_array_equal(seen["inputs_0"].high, whole.max((0, 2, 3)))
    np.testing.assert_array_equal(seen["inputs_0"].low, np.zeros(3))  # 0 is always inside
    assert seen["conv2d"].samples == []


def test_samples_are_spread_over_a_layer(clamped, monkeypatch):
    monkeypatch.setitem(observe.__globals__, "SAMPLES", 100)
    seen = observe(clamped.module(), feeds_of(clamped), LAYERS, samples=True)
    assert len(seen["conv2d"].samples) == 3
    assert [len(part) for part in seen["conv2d"].samples] == [101] * 3
    assert np.ptp(seen["inputs_0"].samples[0]) > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_every_range_holds_0_and_no_more_than_was_seen(painter, method):
    module, feeds = painter.module(), feeds_of(painter)
    layers = ("relu", "add") if method == "entropy" else ranged_layers(find_blocks(module))
    seen = observe(module, feeds, layers, samples=True)
    found = ranges_of(module, seen, method)
    assert tuple(found) == layers
    for name, limits in found.items():
        assert limits.low <= 0 <= limits.high
        assert limits.low >= float(seen[name].low.min())
        assert limits.high <= float(seen[name].high.max())
        assert limits.high > limits.low
    assert found["relu"].low == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_clamp_has_its_own_range_and_a_picture_all_of_its(clamped, method):
    module, feeds = clamped.module(), feeds_of(clamped)
    found = ranges_of(module, observe(module, feeds, LAYERS, samples=True), method)
    high = max(float(feed["content"].max()) for feed in feeds)
    assert (found["inputs_0"].low, found["inputs_0"].high) == (0, pytest.approx(high, abs=1e-7))
    assert (found["clamp"].low, found["clamp"].high) == (0, 1)  # the picture's
    hardtanh = ranges_of(module, observe(module, feeds, ("hardtanh",), samples=True), method)
    assert (hardtanh["hardtanh"].low, hardtanh["hardtanh"].high) == (-0.5, 6.0)


def test_methods_cut_what_is_rare(clamped):
    module, feeds = clamped.module(), spikes()
    seen = observe(module, feeds, ("conv2d",), samples=True)
    found = {m: ranges_of(module, seen, m)["conv2d"] for m in METHODS}
    widths = {m: limits.high - limits.low for m, limits in found.items()}
    assert widths["percentile"] < widths["min-max"]
    assert widths["mse"] < widths["min-max"]
    assert widths["entropy"] < widths["min-max"]
    low, high = float(seen["conv2d"].low.min()), float(seen["conv2d"].high.max())
    assert (found["min-max"].low, found["min-max"].high) == (low, high)


def test_mse_loses_less_than_the_extremes(clamped):
    from styleexport.exporter.quantize.simulate import scale_and_zero_point

    module, feeds = clamped.module(), spikes()
    seen = observe(module, feeds, ("conv2d",), samples=True)
    values = torch.from_numpy(np.concatenate(seen["conv2d"].samples))

    def lost(method: RangeMethod) -> float:
        scale, zero = scale_and_zero_point(ranges_of(module, seen, method)["conv2d"])
        rounded = torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, 255)
        return float((rounded - values).square().mean())

    assert lost("mse") <= lost("min-max")


def test_a_layer_that_is_always_0_has_a_range():
    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)
            with torch.no_grad():
                self.conv.weight.zero_()
                self.conv.bias.fill_(-1.0)

        def forward(self, content):
            return F.relu(self.conv(content)) + content

    graph = graph_of(Dead())
    module = graph.module()
    for method in METHODS:
        found = ranges_of(module, observe(module, feeds_of(graph), ("relu",), samples=True), method)
        assert (found["relu"].low, found["relu"].high) == (0, 0)


def test_only_named_layers_are_shown(clamped):
    shown: list[str] = []
    watch(clamped.module(), feeds_of(clamped, 2), ("conv2d",), lambda name, _: shown.append(name))
    assert shown == ["conv2d", "conv2d"]
