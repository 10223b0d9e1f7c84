"""CycleGAN's residual generator (Zhu, Park, Isola and Efros, ICCV 2017).

Hard: instance norms without weights, reflected pads beside zero pads, transposed convolutions with
an output padding, and pixels of -1..1 from tanh.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, BLOCKS = 8, 3


class Residual(nn.Module):
    """Two reflected convolutions with instance norms, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class CycleGan(nn.Module):
    """Generator: two halvings, residual blocks, two transposed convolutions."""

    pixels = "-1..1"

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, WIDTH, 7), *_norm(WIDTH)]
        for width in (WIDTH, 2 * WIDTH):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), *_norm(2 * width)]
        layers += [Residual(4 * WIDTH) for _ in range(BLOCKS)]
        for width in (4 * WIDTH, 2 * WIDTH):
            up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1)
            layers += [up, *_norm(width // 2)]
        self.layers = nn.Sequential(*layers, nn.ReflectionPad2d(3))
        self.image = nn.Conv2d(WIDTH, 3, 7)

    def forward(self, content: Tensor) -> Tensor:
        return torch.tanh(self.image(self.layers(content)))


def _norm(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.ReLU()


def build() -> nn.Module:
    """Return the generator, its widths an eighth of the published ones."""
    torch.manual_seed(3)
    module = CycleGan()
    return weighted(module, module.image, lambda: module(pictures(-1, 1)), spread=0.5)
