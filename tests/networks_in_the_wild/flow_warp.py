"""A painter that bends the picture: a flow is predicted and the features are sampled along it.

After Kim, Kolkin, Salavon and Shakhnarovich, "Deformable Style Transfer" (ECCV 2020), with the
spatial transformer's sampler (Jaderberg et al., NeurIPS 2015). Hard: bilinear sampling at computed
positions (GridSample), with what lies outside taken from the border, and a grid that depends on the
size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, REACH = 12, 0.15


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU())


class FlowWarp(nn.Module):
    """Flow at a quarter of the size, doubled twice; features warped along it, then painted."""

    pixels = "0..1"

    def __init__(self) -> None:
        super().__init__()
        self.features = _conv(3, WIDTH)
        self.coarse = nn.Sequential(_conv(WIDTH, WIDTH, 2), _conv(WIDTH, WIDTH, 2))
        self.flow = nn.Conv2d(WIDTH, 2, 3, padding=1)
        self.paint = nn.Sequential(_conv(WIDTH, WIDTH), _conv(WIDTH, WIDTH))
        self.image = nn.Conv2d(WIDTH, 3, 3, padding=1)

    def forward(self, content: Tensor) -> Tensor:
        x = self.features(content)
        flow = torch.tanh(self.flow(self.coarse(x))) * REACH
        sides = tuple(content.shape[2:])
        flow = F.interpolate(flow, size=sides, mode="bilinear", align_corners=False)
        rows, columns = (torch.linspace(-1 + 1 / side, 1 - 1 / side, side) for side in sides)
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
        places = grid.unsqueeze(0) + flow.permute(0, 2, 3, 1)
        warped = F.grid_sample(x, places, padding_mode="border", align_corners=False)
        return torch.sigmoid(self.image(self.paint(warped)))


def build() -> nn.Module:
    """Return the network."""
    torch.manual_seed(14)
    module = FlowWarp()
    return weighted(module, module.image, lambda: module(pictures()), spread=1.0)
