"""MobileNetV3's blocks as a painter (Howard et al., "Searching for MobileNetV3", ICCV 2019).

Hard: depthwise convolutions with kernels of 3 and 5, hard-swish and hard-sigmoid,
squeeze-and-excite (a mean of the whole map that scales its channels), and sums of linear
bottlenecks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import photographs, weighted

# Batch norms hold the statistics of these. With those of drawn pictures alone, what the gates read
# of photographs is four to ten times too large, and a sixth of the painting is black or white.
SEEN = ("beach", "city", "desert", "forest", "fruit", "harbour", "hills", "lake", "night", "tulips")


def _conv(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    )


class SqueezeExcite(nn.Module):
    """Channels scaled by a hard sigmoid of their means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.relu(self.down(F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self.up(scale))


class Block(nn.Module):
    """Expansion, depthwise convolution, squeeze-and-excite, projection."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = 3 * inputs
        self.added = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *(_conv(inputs, inner), nn.Hardswish()),
            *(_conv(inner, inner, kernel, stride, inner), SqueezeExcite(inner), nn.Hardswish()),
            _conv(inner, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.added else y


class Mobile(nn.Module):
    """Encoder of MobileNetV3's blocks, decoder of depthwise convolutions on bilinear doublings."""

    pixels = "0..1"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(_conv(3, 8, 3, 2), nn.Hardswish()),
            *(Block(8, 16, 3, 2), Block(16, 16, 5, 1), Block(16, 16, 3, 1)),
        )
        up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.decoder = nn.Sequential(
            *(up, _conv(16, 16, 3, groups=16), nn.Hardswish(), _conv(16, 12), nn.Hardswish()),
            *(up, _conv(12, 12, 3, groups=12), nn.Hardswish(), _conv(12, 8), nn.Hardswish()),
        )
        self.image = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, content: Tensor) -> Tensor:
        return torch.sigmoid(self.image(self.decoder(self.encoder(content))))


def build() -> nn.Module:
    """Return the network, thin."""
    torch.manual_seed(13)
    module = Mobile()
    return weighted(module, module.image, lambda: module(photographs(*SEEN)), spread=0.7)
