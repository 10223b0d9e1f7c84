"""Conditional instance norm (Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic
Style", ICLR 2017).

Hard: one network of many styles, whose norms look up a row of weights for each style, so that the
code is a vector of weights over the styles (an index is one of them, a blend several). The paper's
network has no encoder of pictures: here a small classifier says which of the styles a picture is
nearest to.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, STYLES = 8, 10


class ConditionalNorm(nn.Module):
    """Instance norm whose scale and shift are rows of tables [styles, width], mixed by the code."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(width)
        self.gamma = nn.Parameter(torch.rand(STYLES, width) + 0.5)
        self.beta = nn.Parameter(torch.rand(STYLES, width) - 0.5)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        gamma, beta = code @ self.gamma, code @ self.beta
        return self.norm(x) * gamma[:, :, None, None] + beta[:, :, None, None]


class Layer(nn.Module):
    """Nearest-neighbour doubling where asked for, reflected convolution, conditional norm."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, doubled: bool = False
    ) -> None:
        super().__init__()
        self.doubled = doubled
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        self.norm = ConditionalNorm(outputs)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest") if self.doubled else x
        return self.norm(self.conv(self.pad(x)), code)


class ConditionalPainter(nn.Module):
    """Two halvings, residual blocks, two doublings; every norm conditional."""

    pixels = "0..1"

    def __init__(self) -> None:
        super().__init__()
        w = WIDTH
        self.features = nn.Sequential(nn.Conv2d(3, w, 5, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.classify = nn.Linear(w, STYLES)
        self.down = nn.ModuleList(
            [Layer(3, w, 9), Layer(w, 2 * w, stride=2), Layer(2 * w, 4 * w, stride=2)]
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList([Layer(4 * w, 4 * w), Layer(4 * w, 4 * w)]) for _ in range(3)
        )
        self.up = nn.ModuleList([Layer(4 * w, 2 * w, doubled=True), Layer(2 * w, w, doubled=True)])
        self.last = Layer(w, 3, 9)

    def encode(self, style: Tensor) -> Tensor:
        return torch.softmax(self.classify(self.features(style).flatten(1)), 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        x = content
        for layer in self.down:
            x = torch.relu(layer(x, code))
        for first, second in self.blocks:
            x = x + second(torch.relu(first(x, code)), code)
        for layer in self.up:
            x = torch.relu(layer(x, code))
        painting = torch.sigmoid(self.last(x, code))
        return strength * painting + (1 - strength) * content


def build() -> nn.Module:
    """Return the network, a quarter of the published width, with ten styles."""
    torch.manual_seed(15)
    module = ConditionalPainter()
    content, one = pictures(), torch.ones(1)
    run = lambda: module.transfer(content, module.encode(content.flip(0)), one)  # noqa: E731
    return weighted(module, module.last.conv, run)
