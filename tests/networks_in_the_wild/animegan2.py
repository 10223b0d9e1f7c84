"""AnimeGAN v2's generator (Chen, Liu and Chen, "AnimeGAN", ISICA 2019; version 2, 2020).

Hard: every norm is a layer norm over channels and pixels at once (GroupNorm of one group), pads are
reflected and on two sides only where the stride is 2, upsampling is bilinear with aligned corners,
and the pixels are -1..1, from tanh.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH = 8


def _layer(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Module:
    around = kernel // 2
    pad = (0, 1, 0, 1) if stride == 2 else (around,) * 4
    return nn.Sequential(
        nn.ReflectionPad2d(pad) if any(pad) else nn.Identity(),
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.GroupNorm(1, outputs),
        nn.LeakyReLU(0.2),
    )


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; added to the input where widths agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int = 2) -> None:
        super().__init__()
        inner = inputs * expansion
        self.added = inputs == outputs
        self.layers = nn.Sequential(
            _layer(inputs, inner, kernel=1),
            _layer(inner, inner, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.GroupNorm(1, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.added else y


class AnimeGan2(nn.Module):
    """Generator: two halvings, four inverted residuals, two bilinear doublings."""

    pixels = "-1..1"

    def __init__(self) -> None:
        super().__init__()
        w = WIDTH
        self.a = nn.Sequential(_layer(3, w, 7), _layer(w, 2 * w, stride=2), _layer(2 * w, 2 * w))
        self.b = nn.Sequential(_layer(2 * w, 4 * w, stride=2), _layer(4 * w, 4 * w))
        self.c = nn.Sequential(
            _layer(4 * w, 4 * w),
            InvertedResidual(4 * w, 8 * w),
            *(InvertedResidual(8 * w, 8 * w) for _ in range(3)),
            _layer(8 * w, 4 * w),
        )
        self.d = nn.Sequential(_layer(4 * w, 4 * w), _layer(4 * w, 4 * w))
        self.e = nn.Sequential(_layer(4 * w, 2 * w), _layer(2 * w, 2 * w), _layer(2 * w, w, 7))
        self.image = nn.Conv2d(w, 3, 1, bias=False)

    def forward(self, content: Tensor) -> Tensor:
        x = self.c(self.b(self.a(content)))
        x = self.d(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True))
        x = self.e(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True))
        return torch.tanh(self.image(x))


def build() -> nn.Module:
    """Return the generator, its widths a quarter of the published ones."""
    torch.manual_seed(2)
    module = AnimeGan2()
    return weighted(module, module.image, lambda: module(pictures(-1, 1)), spread=0.5)
