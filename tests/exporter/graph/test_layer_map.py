"""Layers are found again by their values."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.layer_map import TOLERANCE, pair, paired_layers
from styleexport.exporter.graph.sample import SAMPLES, Sample
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.exporter.rewrites.half_range import within_half_range
from tests.conftest import load_own

SIZE = Size(40, 56)


def sample(*values: float) -> Sample:
    return Sample.of(np.array(values, np.float32).reshape(1, -1, 1, 1))


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x):
        return torch.sigmoid(self.last(functional.instance_norm(torch.relu(self.first(x)))))


def test_a_sample_has_the_shape_and_a_few_values():
    array = np.arange(3 * 100 * 100, dtype=np.float32).reshape(1, 3, 100, 100)
    found = Sample.of(array)
    assert found.shape == (1, 3, 100, 100)
    assert SAMPLES <= found.values.size < 2 * SAMPLES
    assert found.values[0, 1] == found.values[0, 2] / 2 == 30000 // SAMPLES
    assert [row[0] for row in found.values] == [0, 10000, 20000]


def test_the_error_is_of_the_largest_value():
    assert sample(100, 2).error(sample(100, 1)) == np.float32(0.01)
    assert sample(1, 2).error(sample(1, 2, 3)) == float("inf")
    assert sample(0, 0).error(sample(0, 0)) == 0


def test_layers_go_with_the_tensor_that_agrees_best():
    layers = {"a": sample(1, 2), "b": sample(3, 4), "merged": sample(9, 9)}
    tensors = {"x": sample(3, 4), "y": sample(1, 2 * (1 + 0.9 * TOLERANCE)), "z": sample(1, 2)}
    assert pair(layers, tensors) == {"a": "z", "b": "x"}
    del tensors["z"]
    assert pair(layers, tensors) == {"a": "y", "b": "x"}
    assert pair(layers, {}) == {}


def test_of_equal_tensors_the_one_of_the_layers_name_comes_first():
    layers = {"relu": sample(1, 2), "conv": sample(1, 2)}
    tensors = {"conv": sample(1, 2), "relu": sample(1, 2)}
    assert pair(layers, tensors) == {"relu": "relu", "conv": "conv"}


def test_gains_of_channels_are_undone_and_nothing_else():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(1, 3, 8, 8)).astype(np.float32)
    whole = Sample.of(array)
    gains = np.array([0.5, 4, 1], np.float32).reshape(1, 3, 1, 1)
    assert Sample.of(array * gains).without_gains(whole).error(whole) < 1e-6
    assert Sample.of(array * gains + 0.1).without_gains(whole).error(whole) > 1e-2
    assert Sample.of(-array).without_gains(whole).error(whole) == 1
    few = sample(1, 2, 3)
    assert sample(2, 2, 2).without_gains(few).error(few) == np.float32(1 / 3)


def test_a_layer_whose_channels_were_multiplied_is_told():
    network = load_own(Norm())
    graph = capture(network, Role.STYLIZE, SIZE)
    module = graph.module()
    (node,) = (x for x in module.graph.nodes if x.name == "conv2d")
    with torch.no_grad():
        module.get_parameter(str(node.args[1].target)).mul_(2)
        module.get_parameter(str(node.args[2].target)).mul_(2)
    pairs, scaled = paired_layers(graph, graph.with_module(module))
    assert {"conv2d", "relu"} <= set(scaled)
    assert (pairs["conv2d"], pairs["relu"]) == ("conv2d", "relu")


def test_a_graph_is_its_own_twin():
    graph = capture(load_own(Norm()), Role.STYLIZE, SIZE)
    assert paired_layers(graph, graph) == ({name: name for name in graph.layer_names()}, ())
    assert set(graph.samples) == set(graph.layer_names())


def test_layers_of_a_rewritten_graph_agree():
    network = load_own(Norm())
    graph = capture(network, Role.STYLIZE, SIZE)
    safe, _ = within_half_range(
        graph, calibration_inputs(network, read_calibration(None), graph).inputs
    )
    pairs, scaled = paired_layers(graph, safe)
    assert scaled == ()
    # The norm became several operations, the last of which has its values.
    assert set(pairs) == set(graph.layer_names())
    before, after = graph.samples, safe.samples
    for layer, name in pairs.items():
        assert after[name].error(before[layer]) < TOLERANCE, layer
    assert pairs["instance_norm"] != "instance_norm"
