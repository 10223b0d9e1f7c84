"""Weights and biases that lose less on the same grid."""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.recipe import Settings
from styleexport.exporter.quantize.blocks import find_blocks, ranged_layers
from styleexport.exporter.quantize.patches import some_patches
from styleexport.exporter.quantize.ranges import observe, ranges_of
from styleexport.exporter.quantize.simulate import rounded_weight, simulate, weight_scales
from styleexport.exporter.quantize.weight_rounding import (
    palette_groups,
    palettes,
    reconstructed,
    round_weights,
)
from tests.exporter.conftest import feeds_of, graph_of

BOTH = Settings(bias_correction=True, rounding="reconstructed")


def patches(columns: int = 160, count: int = 2000) -> torch.Tensor:
    """Patches of smooth pictures: neighbours are alike, and never below 0."""
    torch.manual_seed(0)
    mixing = torch.rand(columns, 12)
    return (mixing @ torch.rand(12, count) + 0.05 * torch.rand(columns, count)).float()


@pytest.mark.parametrize("per_channel", [True, False])
def test_reconstruction_loses_less_than_the_nearest_values(per_channel):
    found = patches()
    torch.manual_seed(1)
    weight = torch.randn(10, len(found)) * torch.logspace(-1, 0, 10)[:, None]
    scales = weight_scales(weight, transposed=False, per_channel=per_channel).flatten()
    products = found @ found.T / found.shape[1]
    better = reconstructed(weight, scales, products)
    nearest = rounded_weight(weight, transposed=False, per_channel=per_channel)

    def lost(other: torch.Tensor) -> float:
        return float(((weight - other) @ found).square().mean())

    assert lost(better) < 0.2 * lost(nearest)
    steps = better / (scales[:, None] if per_channel else scales)
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)
    assert steps.abs().max() <= 127.001
    # Whoever takes the scales from these weights finds the same grid.
    again = weight_scales(better, transposed=False, per_channel=per_channel).flatten()
    torch.testing.assert_close(again, scales, rtol=1e-5, atol=0)
    if per_channel:
        rows = torch.arange(len(weight)), weight.abs().argmax(1)
        torch.testing.assert_close(better[rows], weight[rows], rtol=1e-5, atol=0)


def test_patches_that_say_nothing_leave_the_nearest_values():
    torch.manual_seed(2)
    weight = torch.randn(4, 20)
    scales = weight_scales(weight, transposed=False, per_channel=True).flatten()
    nearest = rounded_weight(weight, transposed=False, per_channel=True)
    for products in (torch.zeros(20, 20), torch.eye(20)):
        torch.testing.assert_close(reconstructed(weight, scales, products), nearest)


class Plain(nn.Module):
    """A plain, a grouped, a transposed and a bias-free convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.wide = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, content):
        x = F.relu(self.first(content))
        x = F.relu(self.grouped(x))
        x = F.relu(self.wide(x))
        return self.last(F.relu(self.up(x))).clamp(0, 1)


@pytest.fixture(scope="module")
def prepared():
    """A graph, what quantizes it, and inputs."""
    graph = graph_of(Plain())
    feeds = feeds_of(graph)
    module = graph.module()
    blocks = find_blocks(module)
    ranges = ranges_of(module, observe(module, feeds, ranged_layers(blocks)), "min-max")
    return graph, blocks, ranges, feeds


def repair(prepared, settings):
    graph, blocks, ranges, feeds = prepared
    module, simulated = graph.module(), graph.module()
    simulate(simulated, blocks, ranges)
    return module, simulated, round_weights(module, simulated, blocks, feeds, settings)


def test_grouped_and_transposed_convolutions_are_left(prepared):
    _, _, found = repair(prepared, BOTH)
    assert list(found) == ["conv2d", "conv2d_2", "conv2d_3"]
    assert found["conv2d_2"].bias is None
    assert repair(prepared, Settings())[2] == {}


def test_the_bias_takes_back_the_mean_error_of_each_channel(prepared):
    graph, blocks, ranges, feeds = prepared
    settings = msgspec.structs.replace(BOTH, rounding="nearest")
    _, _, found = repair(prepared, settings)
    torch.manual_seed(0)

    def outputs(module) -> torch.Tensor:
        maps: list[torch.Tensor] = []
        from styleexport.exporter.quantize.ranges import watch

        watch(module, feeds, ("conv2d",), lambda _, value: maps.append(value))
        return torch.cat(maps).mean((0, 2, 3))

    # The first convolution's inputs rounded as the file rounds them; only its weights differ.
    maps_only, nearest, mended = graph.module(), graph.module(), graph.module()
    first = [block for block in blocks if block.layer == "conv2d"]
    simulate(maps_only, first, ranges, weights=False)
    simulate(nearest, first, ranges)
    node = next(n for n in mended.graph.nodes if n.name == "conv2d")
    from styleexport.exporter.graph.rewrite import add_weight

    node.update_arg(2, add_weight(mended, node, found["conv2d"].bias))
    simulate(mended, first, ranges)
    exact = outputs(maps_only)
    before = (outputs(nearest) - exact).abs().max()
    after = (outputs(mended) - exact).abs().max()
    assert after < 1e-5
    assert after < 0.05 * before


def test_a_repaired_network_is_closer_to_the_float_one(prepared):
    from styleexport.exporter.quantize.weight_rounding import with_weights

    graph, blocks, ranges, feeds = prepared
    _, _, found = repair(prepared, BOTH)

    def error(source) -> float:
        module, exact = source.module(), graph.module()
        simulate(module, blocks, ranges, activations=False)
        with torch.inference_mode():
            pairs = [
                (module(x)[0], exact(x)[0])
                for x in (torch.from_numpy(feed["content"]) for feed in feeds)
            ]
        return float(torch.stack([(a - b).square().mean() for a, b in pairs]).mean())

    assert error(with_weights(graph, found)) < 0.5 * error(graph)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), [(1, 0, 1), ([2, 1], [1, 2], [1, 1]), ([1], [2], [2, 3])]
)
def test_some_patches_are_columns_of_the_unfolded_input(stride, padding, dilation):
    data, weight = torch.rand(1, 3, 17, 19), torch.rand(4, 3, 3, 2)

    def pair(value):
        return value if isinstance(value, int) else (value[0], value[-1])

    whole = F.unfold(data, (3, 2), pair(dilation), pair(padding), pair(stride))[0]
    assert torch.equal(some_patches(data, weight, stride, padding, dilation, 10**6), whole)
    every = max(1, whole.shape[1] // 7)
    assert torch.equal(some_patches(data, weight, stride, padding, dilation, 7), whole[:, ::every])


def test_a_palette_has_16_steps_for_every_16_channels():
    torch.manual_seed(0)
    steps = torch.randn(32, 9) * torch.arange(1, 33)[:, None]
    steps = 127 * steps / steps.abs().amax(1, keepdim=True)
    table = palettes(steps, torch.ones(9))
    assert table.shape == (32, 16)
    assert torch.equal(table, table.round())
    assert bool((table.diff(dim=1) >= 0).all())
    assert (table[:, 0].unique().item(), table[:, -1].unique().item()) == (-127, 127)
    assert len(table.unique(dim=0)) == palette_groups(32) == 2
    assert palette_groups(3) == palette_groups(24) == 1
    near = (steps[..., None] - table[:, None]).abs().amin(2)
    uniform = torch.linspace(-127, 127, 16)
    assert near.square().mean() < (steps[..., None] - uniform).abs().amin(2).square().mean()


def test_columns_of_large_inputs_get_the_nearer_steps():
    torch.manual_seed(0)
    steps = torch.empty(16, 2).uniform_(-100, 100)
    worth = torch.tensor([1.0, 1e6])
    near = (steps[..., None] - palettes(steps, worth)[:, None]).abs().amin(2)
    assert near[:, 1].mean() < near[:, 0].mean()


def test_reconstruction_keeps_to_the_palette_and_loses_less_than_the_nearest():
    torch.manual_seed(0)
    weight, patches = torch.randn(16, 36), torch.randn(36, 36) @ torch.randn(36, 400)
    scales = weight.abs().amax(1) / 127
    products = patches @ patches.T / 400
    table = palettes(weight / scales[:, None], products.diagonal())
    found = reconstructed(weight, scales, products, table)
    steps = found / scales[:, None]
    off = (steps[..., None] - table[:, None]).abs().amin(2)
    assert off.max() < 1e-3
    assert torch.allclose(found.abs().amax(1), weight.abs().amax(1))
    choice = (weight / scales[:, None])[..., None] - table[:, None]
    nearest = table.gather(1, choice.abs().argmin(2)) * scales[:, None]
    lost = [float(((w - weight) @ patches).square().mean()) for w in (found, nearest)]
    assert lost[0] < 0.7 * lost[1]
