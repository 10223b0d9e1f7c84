"""What a target gets for an int8 file."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import UnsupportedOp
from styleexport.core.recipe import FloatLayer, Settings
from styleexport.core.types import Size
from styleexport.exporter.graph import rewrite
from styleexport.exporter.quantize import calibrate, ranges
from styleexport.exporter.quantize import plan as module
from styleexport.exporter.quantize.blocks import find_blocks, quantized_blocks
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.quantize.quantization_fact import quantization_fact
from styleexport.exporter.quantize.ranges import observe
from styleexport.exporter.quantize.simulate import weight_scales
from styleexport.exporter.recipes import FIRST as PRESET
from tests.exporter.conftest import Bounded, Painter, feeds_of, graph_of, shown

LAST = FloatLayer(layer="conv2d_3", reason="mine")
FIRST = FloatLayer(layer="conv2d", reason="mine")


@pytest.fixture(scope="module")
def calibration(painter):
    return shown(painter)


@pytest.fixture
def counted(monkeypatch):
    """How often calibration runs."""
    runs: list[object] = []
    real = module.calibrate
    monkeypatch.setattr(module, "calibrate", lambda *a: runs.append(a) or real(*a))
    return runs


def test_the_fixed_recipe_has_ranges_for_all_that_is_quantized(painter, calibration):
    plan = make_plan(painter, calibration)
    recipe = plan.recipe
    assert recipe.settings == PRESET
    layers = ["inputs_0", "relu", "conv2d_1", "add", "conv2d_2", "conv_transpose2d", "conv2d_3"]
    assert list(recipe.ranges) == layers
    assert [item.layer for item in recipe.float_layers] == ["conv_transpose2d"]
    assert recipe.calibration.method == PRESET.ranges
    assert recipe.size.size() == painter.size
    assert set(plan.weights) == {"conv2d", "conv2d_1", "conv2d_2", "conv2d_3"}
    assert [fact.name for fact in plan.facts] == ["equalize"]
    outputs = {"conv2d", "conv2d_1", "conv2d_2", "conv2d_3"}
    assert set(plan.scales) == {*outputs, "add", "conv_transpose2d"}
    assert plan.facts[0].applied == 5
    assert plan.facts[0].refused == ("add: nothing before it takes a factor",)


def test_settings_that_change_nothing_leave_the_graph(painter, calibration):
    plan = make_plan(painter, calibration, Settings())
    assert (plan.scales, plan.weights, plan.facts) == ({}, {}, ())
    assert plan.applied().graph is painter


def test_written_weights_are_on_the_grid(painter, calibration):
    plan = make_plan(painter, calibration)
    module = plan.applied().graph.module()
    weights = dict(module.named_parameters()) | dict(module.named_buffers())
    for block in find_blocks(module)[:3]:
        value = weights[block.weight]
        steps = value / weight_scales(value, transposed=False, per_channel=True)
        torch.testing.assert_close(steps, steps.round(), atol=2e-3, rtol=0)


def test_islands_are_added_to_the_default_ones_and_lifted_ones_taken_out(painter, calibration):
    plan = make_plan(painter, calibration, Settings(), [FIRST, LAST])
    assert [item.layer for item in plan.recipe.float_layers] == [
        "conv_transpose2d",
        "conv2d_3",
        "conv2d",
    ]
    assert "inputs_0" not in plan.recipe.ranges
    assert plan.recipe.float_layers[1].reason != "mine"
    forced_int8 = make_plan(painter, calibration, Settings(), forced_int8=["conv2d_3"])
    assert [item.layer for item in forced_int8.recipe.float_layers] == ["conv_transpose2d"]
    assert "conv_transpose2d" in forced_int8.recipe.ranges


def test_a_network_that_stays_whole_in_float_is_refused(calibration):
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.ConvTranspose2d(3, 3, 3, padding=1)

        def forward(self, content):
            return torch.sigmoid(self.conv(content))

    with pytest.raises(UnsupportedOp, match=r"every convolution .* type --precision int8-weights"):
        make_plan(graph_of(One()), calibration)


def test_calibration_runs_once_for_the_same_things(painter, calibration, own_cache, counted):
    first = make_plan(painter, calibration)
    again = make_plan(painter, calibration)
    assert len(counted) == 1
    assert again.recipe == first.recipe
    for name, gain in first.scales.items():
        assert torch.equal(again.scales[name], gain)
    assert list(again.weights) == list(first.weights)
    for name, value in first.weights.items():
        assert torch.equal(again.weights[name].weight, value.weight)
        assert torch.equal(again.weights[name].bias, value.bias)
    for kind in ("calibration", "rounding"):
        assert len(list((own_cache / kind).glob("*.json"))) == 1


def test_weights_are_rounded_again_for_other_bits_of_the_same_ranges(
    painter, calibration, own_cache
):
    first = make_plan(painter, calibration)
    palette = make_plan(painter, calibration, msgspec.structs.replace(PRESET, weight_bits=4))
    assert palette.recipe.ranges == first.recipe.ranges
    assert not torch.equal(palette.weights["conv2d"].weight, first.weights["conv2d"].weight)
    assert len(list((own_cache / "calibration").glob("*.json"))) == 1
    assert len(list((own_cache / "rounding").glob("*.json"))) == 2


def test_scales_that_are_not_exact_are_left_out(painter, calibration, own_cache, monkeypatch):
    monkeypatch.setattr(rewrite, "TOLERANCE", -1.0)
    plan = make_plan(painter, calibration)
    assert not plan.scales
    assert plan.equalized is painter
    assert plan.recipe.settings.equalize == 0
    (fact,) = plan.facts
    assert fact.name == "equalize"
    assert "not exact here" in fact.refused[-1]
    monkeypatch.undo()
    plain = make_plan(painter, calibration, msgspec.structs.replace(PRESET, equalize=0.0))
    assert plan.recipe == plain.recipe


@pytest.mark.parametrize(
    "what", ["settings", "pictures", "encoder", "count", "float_layers", "size", "weights"]
)
def test_calibration_runs_again_for_whatever_it_depends_on(
    painter, calibration, own_cache, counted, what
):
    settings = Settings(equalize=0.5)
    make_plan(painter, calibration, settings)
    graph, given, float_layers = painter, calibration, []
    if what == "settings":
        settings = Settings(equalize=0.503)  # the same name
    elif what == "pictures":
        fact = msgspec.structs.replace(calibration.fact, sha256="1" * 64)
        given = replace(calibration, fact=fact)
    elif what == "encoder":
        given = replace(calibration, encoder="1" * 64)
    elif what == "count":
        given = replace(calibration, inputs=calibration.inputs[:2])
    elif what == "float_layers":
        float_layers = [FIRST]
    elif what == "size":
        graph = graph_of(Painter(), Size(48, 32))
        given = shown(graph)
    else:
        changed = Painter()
        with torch.no_grad():
            changed.first.weight.mul_(2)
        graph = graph_of(changed)
    make_plan(graph, given, settings, float_layers)
    assert len(counted) == 2


def test_the_record_tells_why_each_layer_stays_in_float(painter, calibration):
    plan = make_plan(painter, calibration, Settings(weights="per-tensor"), [FIRST])
    fact = quantization_fact(painter.module(), plan.recipe, "qdq-static", "uint8")
    assert (fact.scheme, fact.activation_dtype, fact.per_channel) == ("qdq-static", "uint8", False)
    assert [item.ops for item in fact.float_islands] == [
        ("conv_transpose2d",),
        ("conv2d_3",),
        ("conv2d",),
        ("add", "instance_norm"),
    ]
    assert all(item.reason for item in fact.float_islands)


def test_statistics_of_the_equalized_module_follow_from_the_plain_one(
    painter, calibration, monkeypatch
):
    plan = make_plan(painter, calibration)
    blocks = quantized_blocks(find_blocks(painter.module()), plan.recipe.float_layers)
    equal = plan.equalized.module()
    names = calibrate.block_names(
        blocks, quantized_blocks(find_blocks(equal), plan.recipe.float_layers)
    )
    whole = observe(equal, calibration.inputs, tuple(names.values()))
    seen = observe(painter.module(), calibration.inputs, tuple(names))
    runs = []
    real = ranges.observe
    monkeypatch.setattr(ranges, "observe", lambda m, f, n: runs.append(f) or real(m, f, n))
    found = ranges.equalized_statistics(seen, equal, names, calibration.inputs)
    for name, item in whole.items():
        torch.testing.assert_close(found[name].high, item.high, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found[name].low, item.low, rtol=1e-4, atol=1e-6)
    assert len(runs) < len(calibration.inputs)


def test_a_channel_that_one_picture_wakes_is_looked_for(painter, calibration):
    dark = {key: np.zeros_like(value) for key, value in calibration.inputs[0].items()}
    blocks = find_blocks(painter.module())
    names = {block.output: block.output for block in blocks}
    seen = observe(painter.module(), [dark, *calibration.inputs], tuple(names))
    same = painter.module()
    found = ranges.equalized_statistics(seen, same, names, [dark, *calibration.inputs])
    for name, item in seen.items():
        torch.testing.assert_close(found[name].high, item.high)


def test_values_that_two_blocks_would_read_in_two_ranges_get_no_gains():
    """A pad with a value takes no gain, so the gains would be undone in front of it alone."""

    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            self.second, self.third = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3)
            self.last = nn.Conv2d(8, 3, 1)

        def forward(self, content):
            x = torch.relu(self.first(content))
            computed = self.third.weight * (1 + 0.1 * content.mean())
            y = nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1)), computed, self.third.bias)
            return torch.sigmoid(self.last(torch.relu(self.second(x)) + y + x))

    graph = graph_of(Shared())
    plan = make_plan(graph, shown(graph))
    applied = plan.applied()
    blocks = quantized_blocks(find_blocks(applied.graph.reading), applied.recipe.float_layers)
    assert {name for block in blocks for name in (block.source, block.output)} <= set(
        applied.recipe.ranges
    )


def test_torn_layers_are_those_that_a_rewrite_gave_two_values():
    def block(layer: str, source: str, output: str) -> module.QuantizedBlock:
        return module.QuantizedBlock(layer, output, source, "w", None, 1, False)

    before = [block("a", "in", "relu"), block("b", "relu", "b"), block("c", "add", "c")]
    kept = [block("a", "in", "relu"), block("b", "relu", "b"), block("c", "sum", "c")]
    torn = [block("a", "in", "relu"), block("b", "mul", "b"), block("c", "add", "c")]
    assert calibrate.torn(before, kept) == set()
    assert calibrate.torn(before, torn) == {"a"}


def test_a_relu6_is_part_of_its_block_and_its_limits_are_the_range():
    graph = graph_of(Bounded(torch.ones(8)))
    blocks = find_blocks(graph.reading)
    assert [block.output for block in blocks] == ["relu6", "relu6_1", "clamp"]
    limits = make_plan(graph, shown(graph), Settings()).recipe.ranges["relu6"]
    assert (limits.low, limits.high) == (0, 6)


class ChannelNorm(torch.nn.Module):
    """A norm over channels, as ConvNeXt's, between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.gains = torch.nn.Parameter(torch.rand(8, 1, 1) + 0.5)
        self.offsets = torch.nn.Parameter(torch.rand(8, 1, 1))
        self.second = torch.nn.Conv2d(8, 8, 3, padding=1)
        self.last = torch.nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = self.first(content)
        x = x - x.mean(1, keepdim=True)
        x = x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-6)
        return torch.sigmoid(self.last(F.relu(self.second(x * self.gains + self.offsets))))


def test_gains_pass_a_norm_over_channels():
    graph = graph_of(ChannelNorm())
    plan = make_plan(graph, shown(graph))
    (feeds,) = feeds_of(graph, 1)
    inputs = [torch.from_numpy(x) for x in feeds.values()]
    with torch.inference_mode():
        expected, equal = graph.module()(*inputs)[0], plan.equalized.module()(*inputs)[0]
    torch.testing.assert_close(equal, expected, rtol=1e-4, atol=1e-5)
