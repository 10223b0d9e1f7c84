"""Outputs in segments: the same numbers, in finer steps, where they are worth their time."""

from __future__ import annotations

import numpy as np
import torch
from onnxruntime import InferenceSession
from torch import nn
from torch.nn import functional as F

from styleexport.core.recipe import FloatLayer, Range, Settings
from styleexport.core.types import Size
from styleexport.exporter.quantize import fine_outputs
from styleexport.exporter.quantize.blocks import find_blocks, quantized_blocks
from styleexport.exporter.quantize.fine_outputs import Cost, rounding_costs, too_coarse
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.quantize.segments import segmented
from styleexport.exporter.quantize.simulate import simulate
from styleexport.exporter.search.candidates import Candidates
from styleexport.exporter.targets.onnx import model_from_graph, tensor_names
from styleexport.exporter.targets.onnx.int8 import quantize_blocks
from tests.exporter.conftest import feeds_of, graph_of, shown

SIZE = Size(32, 40)


class Amplified(nn.Module):
    """A convolution whose output a norm and a tanh amplify."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = F.relu(F.instance_norm(self.first(content)))
        x = F.relu(F.instance_norm(self.second(x)))
        return (torch.tanh(2 * F.instance_norm(self.last(x))) + 1) / 2


def test_segments_add_up_to_the_output():
    graph = graph_of(Amplified(), SIZE)
    ranges = {"conv2d": Range(-9.0, 9.0), "conv2d_2": Range(-9.0, 9.0)}
    after, renamed = segmented(
        graph, {"conv2d": (0.5,), "conv2d_2": (-4.0, -1.0, 0.0, 3.0)}, ranges
    )
    assert set(renamed) == set(graph.layer_names())
    for one, other in zip(graph.exact_outputs, after.exact_outputs, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    channels = [x.meta["val"].shape[1] for x in after.reading.graph.nodes if "conv2d" in x.name]
    assert channels == [16, 8, 15]


def test_values_beyond_the_range_are_clipped_as_uint8_clips_them():
    graph = graph_of(nn.Conv2d(3, 3, 1), SIZE)
    after, _ = segmented(graph, {"conv2d": (0.05, 0.1)}, {"clamp": Range(0.0, 0.2)})
    (one,), (other,) = graph.exact_outputs, after.exact_outputs
    assert float(one.max()) > 0.3
    assert torch.allclose(one.clamp(0.0, 0.2), other, atol=1e-6)


def test_a_relu_is_the_first_segments_own():
    class Rectified(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(2)
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, content: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(F.relu(self.conv(content)))

    graph = graph_of(Rectified(), SIZE)
    after, _ = segmented(graph, {"conv2d": (1.0,)}, {"relu": Range(0.0, 5.0)})
    assert torch.allclose(graph.exact_outputs[0], after.exact_outputs[0], atol=1e-6)
    assert not any(node.name == "relu" for node in after.reading.graph.nodes)


def test_noise_is_that_of_a_rounded_tensor():
    graph = graph_of(Amplified(), SIZE)
    inputs = feeds_of(graph, 4)
    plan = make_plan(graph, shown(graph), Settings(segments=True))
    module, blocks = graph.reading, quantized_blocks(find_blocks(graph.reading), ())
    ranges = {block.output: plan.recipe.ranges[block.output] for block in blocks}
    told = rounding_costs(graph.module(), ranges, inputs)
    for block in blocks:
        rounded = graph.module()
        simulate(rounded, [block], plan.recipe.ranges, weights=False)
        # The source of the block is rounded too; that of the first is the picture.
        if block.source != blocks[0].source:
            continue
        errors = []
        for values in inputs:
            fed = [torch.from_numpy(x) for x in values.values()]
            with torch.inference_mode():
                errors.append(float((module(*fed) - rounded(*fed)).square().mean()))
        assert np.mean(errors) / np.mean(told[block.output].noise()) < 3
        assert np.mean(errors) / np.mean(told[block.output].noise()) > 1 / 3


def test_finer_cuts_cost_less_and_lie_where_values_are():
    graph = graph_of(Amplified(), SIZE)
    costs = rounding_costs(graph.module(), {"conv2d_2": Range(-40.0, 40.0)}, feeds_of(graph, 2))
    cost = costs["conv2d_2"]
    noises = [cost.noise(cost.bounds(count)).mean() for count in range(1, 9)]
    assert noises[7] < noises[3] < noises[1] < noises[0]
    assert noises[3] < noises[0] / 4**2  # values fill a small part of the range
    assert max(map(abs, cost.bounds(8)[2:5])) < 10


def test_segments_go_where_rounding_costs_most(own_cache, monkeypatch):
    monkeypatch.setattr(fine_outputs, "WANTED_DB", 60.0)
    monkeypatch.setattr(fine_outputs, "MOST_TIME", 10.0)
    graph = graph_of(Amplified(), SIZE)
    plan = make_plan(graph, shown(graph), Settings(segments=True))
    assert plan.recipe.float_layers == ()
    assert set(plan.recipe.segments) >= {"conv2d_2"}
    for layer, bounds in plan.recipe.segments.items():
        limits = plan.recipe.ranges[layer]
        assert list(bounds) == sorted(bounds) and len(bounds) <= 7
        assert limits.low < bounds[0] and bounds[-1] < limits.high
    none = make_plan(graph, shown(graph), Settings())
    assert none.recipe.segments == {}
    assert [item.layer for item in none.recipe.float_layers] == ["conv2d_2"]


def test_what_would_spoil_the_picture_stays_in_float():
    graph = graph_of(Amplified(), SIZE)
    plan = make_plan(graph, shown(graph), Settings(segments=True))
    blocks = quantized_blocks(find_blocks(graph.reading), ())
    costs = rounding_costs(graph.module(), plan.recipe.ranges, feeds_of(graph))
    assert too_coarse(costs, blocks, {"conv2d_2"}) == set()
    coarse = {name: Cost(cost.limits, 1e4 * cost.squares) for name, cost in costs.items()}
    assert too_coarse(coarse, blocks, {"conv2d_2"}) == {"conv2d_2"}
    assert too_coarse(coarse, blocks, set()) == set()


def test_outputs_that_only_convolutions_read_get_none():
    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(8, 3, 3, padding=1),
            )

        def forward(self, content: torch.Tensor) -> torch.Tensor:
            return self.layers(content)

    graph = graph_of(Chain(), SIZE)
    plan = make_plan(graph, shown(graph), Settings(segments=True))
    assert set(plan.recipe.segments) <= {"conv2d_2"}


def test_a_candidate_of_a_search_is_the_file_that_is_written(monkeypatch):
    monkeypatch.setattr(fine_outputs, "WANTED_DB", 60.0)
    monkeypatch.setattr(fine_outputs, "MOST_TIME", 10.0)
    graph = graph_of(Amplified(), SIZE)
    plan = make_plan(graph, shown(graph), Settings(segments=True, rounding="reconstructed"))
    assert plan.recipe.segments
    (inputs, *_), applied = feeds_of(graph), plan.applied()
    candidates = Candidates(plan, inputs)
    with candidates.session(candidates.blocks) as session:
        found = session(inputs)
    model = model_from_graph(applied.graph)
    blocks = quantized_blocks(find_blocks(applied.graph.reading), ())
    names = tensor_names(applied.graph, applied.graph.reading)
    quantize_blocks(model, blocks, applied.recipe, names)
    own = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = own.run(None, dict(inputs))
    assert np.array_equal(next(iter(found.values())), expected)
    left = plan.with_float_layers([FloatLayer(layer="conv2d_2", reason="a test")])
    assert "conv2d_2" not in left.recipe.segments
