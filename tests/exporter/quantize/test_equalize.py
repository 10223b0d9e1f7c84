"""Gains on channels, undone exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.exporter.graph.graph import example_inputs, operation_of
from styleexport.exporter.quantize.blocks import find_blocks, nodes_by_name
from styleexport.exporter.quantize.equalize import LEAST_SHARE, equalization_scales, equalized
from tests.exporter.conftest import SIZE, graph_of

GAIN = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 1.5, 3.0, 1.0])


def run(graph, inputs) -> torch.Tensor:
    with torch.inference_mode():
        found = graph.module()(*inputs)
    return found[0] if isinstance(found, tuple) else found


def inputs_of(graph):
    torch.manual_seed(5)
    return example_inputs(graph.inputs, graph.size)


def values(graph, name: str, inputs) -> torch.Tensor:
    """What a layer computes."""
    from styleexport.exporter.quantize.ranges import watch

    found: list[torch.Tensor] = []
    named = {f.name: x.numpy() for f, x in zip(graph.inputs, inputs, strict=True)}
    watch(graph.module(), [named], (name,), lambda _, value: found.append(value))
    return found[0]


def added(before, after, operation: str) -> list:
    """The nodes of an operation that a rewrite added."""
    old = nodes_by_name(before.module())
    new = nodes_by_name(after.module())
    return [
        node for name, node in new.items() if name not in old and operation_of(node) == operation
    ]


def maps_multiplied(graph) -> list[str]:
    """The multiplications whose result has more than one place."""
    nodes = nodes_by_name(graph.module())
    sizes = {
        name: node.meta["val"].shape for name, node in nodes.items() if operation_of(node) == "mul"
    }
    return [name for name, shape in sizes.items() if math.prod(shape[2:]) > 1]


def per_channel(value: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return value * gain.reshape(1, -1, 1, 1)


def test_gains_bring_channels_to_one_range():
    low = torch.tensor([-4.0, -2.0, 0.0, -0.001])
    high = torch.tensor([8.0, 1.0, 2.0, 0.001])
    whole = equalization_scales(low, high, 1.0)
    torch.testing.assert_close(whole, torch.tensor([1.0, 2.0, 4.0, 1 / LEAST_SHARE]))
    half = equalization_scales(low, high, 0.5)
    torch.testing.assert_close(half, whole.sqrt())
    assert torch.equal(equalization_scales(low, high, 0.0), torch.ones(4))
    # The largest channel of either sign keeps its gain, so that no range grows.
    assert float((high * whole).max()) == 8
    assert float((low * whole).min()) == -4


def test_a_channel_that_was_never_seen_gets_no_gain_beyond_the_limit():
    gains = equalization_scales(torch.zeros(3), torch.tensor([1.0, 0.0, 0.5]), 1.0)
    assert gains.tolist() == [1.0, 1 / LEAST_SHARE, 2.0]
    nothing = equalization_scales(torch.zeros(3), torch.zeros(3), 1.0)
    assert torch.isfinite(nothing).all()


@pytest.mark.parametrize("expand", [False, True])
def test_the_network_computes_the_same(painter, expand):
    layers = [block.layer for block in find_blocks(painter.module())][:-1]
    result, fact = equalized(painter, dict.fromkeys(layers, GAIN), expand_norms=expand)
    assert (fact.name, fact.applied, fact.refused) == ("equalize", 4, ())
    inputs = inputs_of(painter)
    torch.testing.assert_close(run(result, inputs), run(painter, inputs), atol=1e-5, rtol=0)
    for name in layers[:3]:
        before, after = values(painter, name, inputs), values(result, name, inputs)
        torch.testing.assert_close(after, per_channel(before, GAIN), rtol=1e-4, atol=1e-4)
    assert bool(added(painter, result, "sqrt")) == expand
    assert ("instance_norm" in {operation_of(n) for n in result.module().graph.nodes}) != expand


def test_a_relu_pool_and_the_next_convolution_take_a_gain_without_an_operation(painter):
    result, fact = equalized(painter, {"conv2d": GAIN})
    assert fact.applied == 1
    assert added(painter, result, "mul") == []
    inputs = inputs_of(painter)
    before, after = (values(g, "relu", inputs) for g in (painter, result))
    torch.testing.assert_close(after, per_channel(before, GAIN), rtol=1e-5, atol=1e-5)
    before, after = (values(g, "conv2d_1", inputs) for g in (painter, result))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_nothing_of_full_size_is_multiplied_for_adain(lite):
    graph, feeds = lite[0], lite[1].inputs
    blocks = find_blocks(graph.module())
    nodes = nodes_by_name(graph.module())
    torch.manual_seed(0)
    gains = {
        block.layer: 1 + 7 * torch.rand(nodes[block.layer].meta["val"].shape[1])
        for block in blocks
        if block.output != "clamp"
    }
    result, fact = equalized(graph, gains)
    assert (fact.applied, fact.refused) == (len(gains), ())
    # Of maps by constants, or by what is no map; style codes and statistics may be multiplied.
    assert len(maps_multiplied(result)) == len(maps_multiplied(graph)) > 0
    inputs = [torch.from_numpy(x) for x in feeds[0].values()]
    before, after = run(graph, inputs), run(result, inputs)
    torch.testing.assert_close(after, before, atol=2e-4, rtol=0)


def test_a_norm_takes_its_gains_in_scale_and_shift():
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            self.norm = nn.InstanceNorm2d(8, affine=True)
            self.last = nn.Conv2d(8, 3, 3, padding=1)
            nn.init.uniform_(self.norm.weight)
            nn.init.normal_(self.norm.bias)

        def forward(self, content):
            return self.last(F.relu(self.norm(self.first(content)))).clamp(0, 1)

    graph = graph_of(Normed())
    result, fact = equalized(graph, {"relu": GAIN})
    assert (fact.applied, fact.refused) == (1, ())
    assert added(graph, result, "mul") == []
    inputs = inputs_of(graph)
    before, after = (values(g, "relu", inputs) for g in (graph, result))
    torch.testing.assert_close(after, per_channel(before, GAIN), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(run(result, inputs), run(graph, inputs), atol=1e-5, rtol=0)


def test_what_takes_no_factor_is_refused_and_left(painter):
    gains = {"relu_2": GAIN, "conv2d_9": GAIN}
    result, fact = equalized(painter, gains)
    assert fact.applied == 0
    assert set(fact.refused) == {
        "conv2d_9: no such layer",
        "relu_2: nothing before it takes a factor",
    }
    kinds = [[operation_of(node) for node in g.module().graph.nodes] for g in (painter, result)]
    assert kinds[0] == kinds[1]


class Odd(nn.Module):
    """What reads a convolution's output in ways of its own."""

    def __init__(self, read) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.read = read

    def forward(self, content):
        return self.read(self.first(content)).mean(1, keepdim=True).expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: torch.cat([x, x * 2], 1),
        lambda x: x[:, 2:6],
        lambda x: F.pad(x, (1, 1, 1, 1), value=0.5)[:, :, 1:-1, 1:-1],
        lambda x: x * x.mean(1, keepdim=True),
        lambda x: x + x.flip(3),
        lambda x: torch.tanh(x) + x,
        lambda x: x**3,
        lambda x: 2.0 - x,
        lambda x: 1.0 / (x.abs() + 1.0),
        lambda x: x.mean((2, 3), keepdim=True) / (x * x).mean((2, 3), keepdim=True).sqrt() * x,
        lambda x: x + x.max(),
    ],
    ids=[
        "concatenated",
        "cut",
        "padded with values",
        "times a mean of channels",
        "flipped",
        "squashed",
        "cubed",
        "taken from a number",
        "divides a number",
        "statistics",
        "largest",
    ],
)
def test_gains_are_undone_before_what_does_not_pass_them_on(read):
    graph = graph_of(Odd(read))
    result, fact = equalized(graph, {"conv2d": GAIN})
    assert (fact.applied, fact.refused) == (1, ())
    inputs = inputs_of(graph)
    torch.testing.assert_close(run(result, inputs), run(graph, inputs), atol=2e-5, rtol=2e-5)


def test_sizes_of_the_result_are_the_graphs(painter):
    result, _ = equalized(painter, {"conv2d": GAIN})
    assert (result.size, result.inputs, result.outputs) == (SIZE, painter.inputs, painter.outputs)


@pytest.mark.parametrize(
    ("groups", "out"), [(2, 8), (4, 8), (8, 8), (8, 16), (4, 4)], ids=lambda value: str(value)
)
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_in_groups_take_gains_of_both_sides(groups, out, transposed):
    """MicroAST's groups of one and of two channels, and depthwise ones that multiply channels."""

    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            kind = nn.ConvTranspose2d if transposed else nn.Conv2d
            self.grouped = kind(8, out, 3, padding=1, groups=groups)
            self.last = nn.Conv2d(out, 3, 1)

        def forward(self, content):
            return self.last(F.relu(self.grouped(F.relu(self.first(content))))).clamp(0, 1)

    graph = graph_of(Grouped())
    first, grouped = (block.layer for block in find_blocks(graph.module())[:2])
    gains = {first: GAIN, grouped: GAIN.repeat(2)[:out]}
    result, fact = equalized(graph, gains)
    assert (fact.applied, fact.refused) == (2, ())
    assert added(graph, result, "mul") == []
    inputs = inputs_of(graph)
    torch.testing.assert_close(run(result, inputs), run(graph, inputs), atol=1e-5, rtol=0)
    before, after = (values(g, grouped, inputs) for g in (graph, result))
    torch.testing.assert_close(after, per_channel(before, gains[grouped]), rtol=1e-4, atol=1e-4)
