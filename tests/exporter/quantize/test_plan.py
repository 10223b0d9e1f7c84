"""What a target gets for an int8 file."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from styleexport.core.errors import UnsupportedOp
from styleexport.core.recipe import Island, Settings
from styleexport.core.types import Size
from styleexport.exporter.quantize import plan as module
from styleexport.exporter.quantize import ranges
from styleexport.exporter.quantize.blocks import find_units, quantized_units
from styleexport.exporter.quantize.plan import DEFAULT, make_plan, quantization_fact
from styleexport.exporter.quantize.ranges import observe
from styleexport.exporter.quantize.simulate import weight_scales
from tests.exporter.conftest import CALIBRATION, Painter, feeds_of, graph_of

LAST = Island(layer="conv2d_3", reason="mine")
FIRST = Island(layer="conv2d", reason="mine")


@pytest.fixture(scope="module")
def feeds(painter):
    return feeds_of(painter)


@pytest.fixture
def counted(monkeypatch):
    """How often calibration runs."""
    runs: list[object] = []
    real = module._calibrate
    monkeypatch.setattr(module, "_calibrate", lambda *a: runs.append(a) or real(*a))
    return runs


def test_the_fixed_recipe_has_ranges_for_all_that_is_quantized(painter, feeds):
    plan = make_plan(painter, feeds, CALIBRATION)
    recipe = plan.recipe
    assert recipe.settings == DEFAULT
    assert list(recipe.ranges) == ["inputs_0", "relu", "conv2d_1", "add", "conv2d_2"]
    assert [item.layer for item in recipe.islands] == ["conv_transpose2d", "conv2d_3"]
    assert recipe.calibration.method == DEFAULT.ranges
    assert recipe.size.size() == painter.size
    assert set(plan.weights) == {"conv2d", "conv2d_1", "conv2d_2"}
    assert [fact.name for fact in plan.facts] == ["equalize"]
    assert set(plan.gains) == {"conv2d", "conv2d_1", "conv2d_2", "add"}
    assert plan.facts[0].applied == 3
    assert plan.facts[0].refused == ("add: nothing before it takes a factor",)


def test_settings_that_change_nothing_leave_the_graph(painter, feeds):
    plan = make_plan(painter, feeds, CALIBRATION, Settings())
    assert (plan.gains, plan.weights, plan.facts) == ({}, {}, ())
    assert plan.followed()[0] is painter


def test_written_weights_are_on_the_grid(painter, feeds):
    plan = make_plan(painter, feeds, CALIBRATION)
    module = plan.followed()[0].module()
    weights = dict(module.named_parameters()) | dict(module.named_buffers())
    for unit in find_units(module)[:3]:
        value = weights[unit.weight]
        steps = value / weight_scales(value, transposed=False, per_channel=True)
        torch.testing.assert_close(steps, steps.round(), atol=2e-3, rtol=0)


def test_islands_are_added_to_the_default_ones_and_lifted_ones_taken_out(painter, feeds):
    plan = make_plan(painter, feeds, CALIBRATION, Settings(), [FIRST, LAST])
    assert [item.layer for item in plan.recipe.islands] == [
        "conv_transpose2d",
        "conv2d_3",
        "conv2d",
    ]
    assert "inputs_0" not in plan.recipe.ranges
    assert plan.recipe.islands[1].reason != "mine"
    lifted = make_plan(painter, feeds, CALIBRATION, Settings(), lifted=["conv2d_3"])
    assert [item.layer for item in lifted.recipe.islands] == ["conv_transpose2d"]
    assert "conv_transpose2d" in lifted.recipe.ranges


def test_a_network_that_stays_whole_in_float_is_refused(feeds):
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, content):
            return torch.sigmoid(self.conv(content))

    with pytest.raises(UnsupportedOp, match=r"every convolution .* type --quantize int8-weights"):
        make_plan(graph_of(One()), feeds, CALIBRATION)


def test_calibration_runs_once_for_the_same_things(painter, feeds, own_cache, counted):
    first = make_plan(painter, feeds, CALIBRATION)
    again = make_plan(painter, feeds, CALIBRATION)
    assert len(counted) == 1
    assert again.recipe == first.recipe
    for name, gain in first.gains.items():
        assert torch.equal(again.gains[name], gain)
    for name, value in first.weights.items():
        assert torch.equal(again.weights[name].weight, value.weight)
    assert len(list((own_cache / "calibration").glob("*.json"))) == 1


@pytest.mark.parametrize("what", ["settings", "pictures", "count", "islands", "size", "weights"])
def test_calibration_runs_again_for_whatever_it_depends_on(
    painter, feeds, own_cache, counted, what
):
    settings = Settings(equalize=0.5)
    make_plan(painter, feeds, CALIBRATION, settings)
    graph, calibration, islands = painter, CALIBRATION, []
    if what == "settings":
        settings = Settings(equalize=0.503)  # the same name
    elif what == "pictures":
        calibration = msgspec.structs.replace(CALIBRATION, sha256="1" * 64)
    elif what == "count":
        feeds = feeds[:2]
    elif what == "islands":
        islands = [FIRST]
    elif what == "size":
        graph = graph_of(Painter(), Size(48, 32))
        feeds = feeds_of(graph)
    else:
        changed = Painter()
        with torch.no_grad():
            changed.first.weight.mul_(2)
        graph = graph_of(changed)
    make_plan(graph, feeds, calibration, settings, islands)
    assert len(counted) == 2


def test_the_record_tells_why_each_layer_stays_in_float(painter, feeds):
    plan = make_plan(painter, feeds, CALIBRATION, Settings(weights="per-tensor"), [FIRST])
    fact = quantization_fact(painter.module(), plan.recipe, "qdq-static", "uint8")
    assert (fact.scheme, fact.activation_dtype, fact.per_channel) == ("qdq-static", "uint8", False)
    assert [island.ops for island in fact.float_islands] == [
        ("conv_transpose2d",),
        ("conv2d_3",),
        ("conv2d",),
        ("add", "instance_norm"),
    ]
    assert all(island.reason for island in fact.float_islands)


def test_what_is_seen_behind_gains_is_told_by_what_was_seen_before(painter, feeds, monkeypatch):
    plan = make_plan(painter, feeds, CALIBRATION)
    units = quantized_units(find_units(painter.module()), plan.recipe.islands)
    equal = plan.followed(repair=False)[0].module()
    names = module._names(units, quantized_units(find_units(equal), plan.recipe.islands))
    whole = observe(equal, feeds, tuple(names.values()))
    seen = observe(painter.module(), feeds, tuple(names))
    runs = []
    real = ranges.observe
    monkeypatch.setattr(ranges, "observe", lambda m, f, n: runs.append(f) or real(m, f, n))
    found = ranges.seen_with_gains(seen, painter.module(), equal, names, feeds)
    for name, item in whole.items():
        torch.testing.assert_close(found[name].high, item.high, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found[name].low, item.low, rtol=1e-4, atol=1e-6)
    assert len(runs) < 2 * len(feeds)


def test_a_channel_that_one_picture_wakes_is_looked_for(painter, feeds):
    dark = {key: np.zeros_like(value) for key, value in feeds[0].items()}
    units = find_units(painter.module())
    names = {unit.output: unit.output for unit in units}
    seen = observe(painter.module(), [dark, *feeds], tuple(names))
    same = painter.module()
    found = ranges.seen_with_gains(seen, same, same, names, [dark, *feeds])
    for name, item in seen.items():
        torch.testing.assert_close(found[name].high, item.high)
