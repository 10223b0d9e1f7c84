"""SANet (Park and Lee, "Arbitrary Style Transfer with Style-Attentional Networks", CVPR 2019).

Hard: every pixel of the content attends to every pixel of the style at two levels, so that the
style code would be as long as the style picture is large. Here the style's features are pooled to a
fixed grid, and the code is that grid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import photographs, weighted

WIDTH = 16
GRIDS = (8, 4)


def _conv(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3), nn.ReLU()


def _normalised(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


class StyleAttention(nn.Module):
    """Attention of a content map to a style map, [N, C, H, W] and [N, C, h, w]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.f, self.g, self.h, self.out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        query = self.f(_normalised(content)).flatten(2).transpose(1, 2)
        key = self.g(_normalised(style)).flatten(2)
        value = self.h(style).flatten(2)
        weights = torch.softmax(torch.bmm(query, key), -1)
        mixed = torch.bmm(value, weights.transpose(1, 2))
        return self.out(mixed.view_as(content))


class SaNet(nn.Module):
    """VGG-like encoder, attention at two levels, mirrored decoder."""

    pixels = "0..1"

    def __init__(self) -> None:
        super().__init__()
        w = WIDTH
        pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.to4 = nn.Sequential(
            *(nn.Conv2d(3, 3, 1), *_conv(3, w // 2), pool, *_conv(w // 2, w), pool),
            *(*_conv(w, 2 * w), pool, *_conv(2 * w, 2 * w)),
        )
        self.to5 = nn.Sequential(*_conv(2 * w, 2 * w), pool, *_conv(2 * w, 2 * w))
        self.attend4, self.attend5 = StyleAttention(2 * w), StyleAttention(2 * w)
        self.merge = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(2 * w, 2 * w, 3))
        up = nn.Upsample(scale_factor=2, mode="nearest")
        self.decoder = nn.Sequential(
            *(*_conv(2 * w, w), up, *_conv(w, w), *_conv(w, w // 2), up),
            *(*_conv(w // 2, w // 2), up, *_conv(w // 2, w // 2), nn.ReflectionPad2d(1)),
        )
        self.image = nn.Conv2d(w // 2, 3, 3)

    def encode(self, style: Tensor) -> Tensor:
        at4 = self.to4(style)
        maps = (at4, self.to5(at4))
        pooled = (F.adaptive_avg_pool2d(x, side) for x, side in zip(maps, GRIDS, strict=True))
        return torch.cat([x.flatten(1) for x in pooled], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        at4 = self.to4(content)
        at5 = self.to5(at4)
        length = 2 * WIDTH * GRIDS[0] ** 2
        style4 = code[:, :length].reshape(-1, 2 * WIDTH, GRIDS[0], GRIDS[0])
        style5 = code[:, length:].reshape(-1, 2 * WIDTH, GRIDS[1], GRIDS[1])
        styled4 = at4 + strength * self.attend4(at4, style4)
        styled5 = at5 + strength * self.attend5(at5, style5)
        grown = F.interpolate(styled5, size=tuple(at4.shape[2:]), mode="nearest")
        return self.image(self.decoder(self.merge(styled4 + grown)))


def build() -> nn.Module:
    """Return the network, its widths a sixteenth of the published ones."""
    torch.manual_seed(8)
    module = SaNet()
    content, one = photographs(), torch.ones(1)
    run = lambda: module.transfer(content, module.encode(content.flip(0)), one)  # noqa: E731
    weighted(module, module.image, run, spread=0.15, middle=0.5)
    for attention in (module.attend4, module.attend5):  # logits of a standard deviation of one
        attention.f.weight.mul_((2 * WIDTH) ** -0.5)
        attention.f.bias.mul_((2 * WIDTH) ** -0.5)
    return module
