"""Splits of graphs with every operation that is known, each painted in tiles and at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from styleexport.core.errors import UnsupportedOp
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.tile_proof import prove
from styleexport.exporter.tiling.split import split
from tests.zoo import load_own, load_random

WINDOW = Size(64, 96)


class Crop(nn.Module):
    """Valid convolutions between a wide pad and a cut: maps are longer than the window."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 3, 5)
        self.norm = nn.InstanceNorm2d(8, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (6, 6, 6, 6), mode="reflect")
        x = self.second(torch.relu(self.norm(self.first(x))))
        return torch.sigmoid(x)[:, :, 3:-3, 3:-3]


class Squeezed(nn.Module):
    """A squeeze-and-excite block, and a mean by `sum`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        gate = torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(x, 1)))
        level = x.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
        return torch.sigmoid(self.last(x * gate - level))


class Unbiased(nn.Module):
    """Statistics with n - 1, written in three ways."""

    def forward(self, x: Tensor) -> Tensor:
        mean, std = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
        flat = x.flatten(2)
        variance = flat.var(2, keepdim=True)[..., None]
        y = (x - mean) / (std + 0.1) + (x - mean) / torch.sqrt(variance + 1e-3)
        centred = (x - mean).flatten(2)
        gram = centred @ centred.transpose(1, 2) / (flat.shape[2] - 1)
        return torch.sigmoid(y + (gram @ centred).reshape(x.shape))


class Chain(nn.Module):
    """Some layers, a norm, and a way back to the picture."""

    def __init__(self, *layers: nn.Module, channels: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.layers = nn.Sequential(*layers)
        self.norm = nn.InstanceNorm2d(channels)
        self.last = nn.Conv2d(channels, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(torch.relu(self.norm(self.layers(self.first(x))))))


class Channels(nn.Module):
    """Parts of the channels, their norm, and their concatenation."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.split([4, 4], dim=1)
        x = torch.cat([a * b, functional.silu(b)], dim=1)
        return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=False) + 1)


NETWORKS = {
    "zeros": Chain(nn.Conv2d(8, 8, 5, padding=2, groups=2)),
    "reflected": Chain(nn.ReflectionPad2d(3), nn.Conv2d(8, 8, 7)),
    "replicated": Chain(nn.ReplicationPad2d((1, 2, 2, 1)), nn.Conv2d(8, 8, 4)),
    "dilated": Chain(nn.Conv2d(8, 8, 3, padding=4, dilation=4)),
    "strided, nearest": Chain(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Upsample(scale_factor=2)),
    "strided, transposed": Chain(
        nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 3, 2, 1, output_padding=1)
    ),
    "transposed by 4": Chain(nn.Conv2d(8, 8, 4, 4), nn.ReLU(), nn.ConvTranspose2d(8, 8, 8, 4, 2)),
    "pooled, bilinear": Chain(
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    ),
    "bilinear by 4": Chain(nn.AvgPool2d(4), nn.Upsample(scale_factor=4, mode="bilinear")),
    "shuffled": Chain(nn.Conv2d(8, 32, 3, 2, 1), nn.PixelShuffle(2)),
    "average of 3": Chain(nn.AvgPool2d(3, 1, 1), nn.Hardtanh()),
    "two norms": Chain(nn.InstanceNorm2d(8, affine=True), nn.Conv2d(8, 8, 3, padding=1)),
    "channels": Chain(Channels()),
    "cropped": Crop(),
    "squeezed": Squeezed(),
    "unbiased": Unbiased(),
}


def split_of(module: nn.Module, size: Size = WINDOW):
    network = load_own(module)
    graph, _ = apply_passes(capture(network, Role.STYLIZE, size))
    return network, split(graph)


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_are_the_whole_picture(name):
    torch.manual_seed(1)
    for part in NETWORKS[name].modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    network, passes = split_of(NETWORKS[name])
    proof = prove(network, passes)
    assert proof.tiled_db > 120
    assert proof.largest_difference < 1e-4


def test_a_network_without_statistics_is_one_pass():
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())
    network, passes = split_of(module)
    (one,) = passes.passes
    assert (one.graph.role, one.rows, one.columns) == (Role.RENDER, (1, 1), (1, 1))
    assert not passes.maps and not passes.statistics
    assert prove(network, passes).tiled_db > 120


def test_margins_are_those_of_the_receptive_field():
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, 2, 1),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 3, 3, padding=1),
        nn.Sigmoid(),
    )
    _, passes = split_of(module)
    # Above: 1, then (1 + 1)/2 = 1 and 1 more at half the size, doubled, and 1: 5 rows, on a grid of
    # 2. Below, the strided convolution does not read its padding: 1/2, up to 1, 1, doubled, 1.
    assert (passes.grid, passes.passes[0].rows) == (2, (6, 6))


def test_a_style_makes_a_render_of_a_pass():
    graph, _ = apply_passes(capture(load_random("adain-lite"), Role.TRANSFORM, Size(128, 128)))
    roles = [one.graph.role for one in split(graph).passes]
    assert roles == [Role.FEATURES, *[Role.RENDER] * 4]


class Unfolded(nn.Module):
    """Operations that the geometry does not know, of which each place depends on its neighbours."""

    def forward(self, x: Tensor) -> Tensor:
        columns = functional.unfold(x, 5, padding=2)
        return columns.amax(1, keepdim=True).reshape(1, 1, *x.shape[2:]).sigmoid() * x


def test_how_far_unknown_operations_reach_is_measured():
    network, passes = split_of(Unfolded())
    assert passes.passes[0].rows == (2, 2)
    assert prove(network, passes).tiled_db > 120


class Grid(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x + torch.linspace(0, 1, x.shape[3]))


class Aligned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = functional.avg_pool2d(x, 2)
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        tokens = functional.avg_pool2d(x, 8).flatten(2)
        mixed = torch.softmax(tokens.transpose(1, 2) @ tokens, -1)
        small = (tokens @ mixed).reshape(1, 3, x.shape[2] // 8, x.shape[3] // 8)
        return functional.interpolate(small, scale_factor=8).sigmoid()


class Largest(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (1 + x.amax((2, 3), keepdim=True))


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (Grid(), "a value of its own for each place"),
        (Aligned(), "aligned corners"),
        (Attention(), "(matmul)"),
        (Largest(), "(amax)"),
    ],
)
def test_what_cannot_be_taken_out_is_named(module, named):
    with pytest.raises(UnsupportedOp) as caught:
        split_of(module)
    assert named in str(caught.value)
    assert "leave out --full" in str(caught.value)


def test_a_window_off_the_grid_is_refused_with_one_on_it():
    graph, _ = apply_passes(capture(load_random("adain-lite"), Role.TRANSFORM, Size(100, 131)))
    with pytest.raises(UnsupportedOp) as caught:
        split(graph)
    assert "--size 96x128" in str(caught.value)
