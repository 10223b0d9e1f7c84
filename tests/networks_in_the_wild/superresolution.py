"""EDSR with a sub-pixel layer (Lim et al., CVPRW 2017; Shi et al., ESPCN, CVPR 2016).

Hard: the picture is twice as large as the input, by a rearrangement of channels (PixelShuffle);
blocks have no norm, and a scaled residual.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, BLOCKS, RESIDUAL = 16, 4, 0.1


class Residual(nn.Module):
    """Two convolutions without norms, a tenth of them added to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU()),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) * RESIDUAL


class SuperResolution(nn.Module):
    """Head, residual blocks with a long skip, doubling by PixelShuffle."""

    pixels = "0..1"
    scale = 2

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.body = nn.Sequential(
            *(Residual() for _ in range(BLOCKS)), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        )
        self.up = nn.Sequential(nn.Conv2d(WIDTH, 4 * WIDTH, 3, padding=1), nn.PixelShuffle(2))
        self.image = nn.Conv2d(WIDTH, 3, 3, padding=1)

    def forward(self, content: Tensor) -> Tensor:
        x = self.head(content)
        return self.image(self.up(x + self.body(x)))


def build() -> nn.Module:
    """Return the network, a quarter of the published width."""
    torch.manual_seed(12)
    module = SuperResolution()
    return weighted(module, module.image, lambda: module(pictures()), spread=0.15, middle=0.5)
