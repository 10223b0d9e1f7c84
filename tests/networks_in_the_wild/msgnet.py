"""MSG-Net (Zhang and Dana, "Multi-style Generative Network for Real-time Transfer", 2017).

Hard: the style code is a Gram matrix, the CoMatch layer multiplies it with learned weights and with
every pixel's features (two batched matrix products that depend on the style), blocks normalise
before they convolve, upsampling and skip are convolutions of a nearest-neighbour map, and pixels
are 0..255.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH = 32


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride)
    )


def _before(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.ReLU()


class Bottleneck(nn.Module):
    """Pre-activation residual block, the picture kept, halved or doubled."""

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, doubled: bool = False
    ) -> None:
        super().__init__()
        inner = max(outputs // 4, 4)
        up = nn.UpsamplingNearest2d(scale_factor=2) if doubled else nn.Identity()
        self.layers = nn.Sequential(
            *(*_before(inputs), nn.Conv2d(inputs, inner, 1)),
            *(*_before(inner), up, _conv(inner, inner, 3, stride)),
            *(*_before(inner), nn.Conv2d(inner, outputs, 1)),
        )
        self.skip = nn.Sequential(up, nn.Conv2d(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.layers(x)


class CoMatch(nn.Module):
    """Features [N, C, H, W] times (W·G)ᵀ, for a Gram matrix G [N, C, C]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, width, width) / width**0.5)

    def forward(self, x: Tensor, gram: Tensor) -> Tensor:
        product = torch.bmm(self.weight.expand_as(gram), gram)
        return torch.bmm(product.transpose(1, 2), x.flatten(2)).view_as(x)


class MsgNet(nn.Module):
    """Siamese encoder, CoMatch, decoder."""

    pixels = "0..255"

    def __init__(self) -> None:
        super().__init__()
        w = WIDTH
        self.encoder = nn.Sequential(
            *(_conv(3, w // 2, 7), nn.InstanceNorm2d(w // 2), nn.ReLU()),
            Bottleneck(w // 2, w, stride=2),
            Bottleneck(w, w, stride=2),
        )
        self.match = CoMatch(w)
        self.decoder = nn.Sequential(
            Bottleneck(w, w),
            *(Bottleneck(w, w // 2, doubled=True), Bottleneck(w // 2, w // 4, doubled=True)),
            *(*_before(w // 4), nn.ReflectionPad2d(3)),
        )
        self.image = nn.Conv2d(w // 4, 3, 7)

    def encode(self, style: Tensor) -> Tensor:
        features = self.encoder(style).flatten(2)
        gram = torch.bmm(features, features.transpose(1, 2)) / features.shape[2]
        return (gram / WIDTH).flatten(1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        x = self.encoder(content)
        matched = self.match(x, code.reshape(-1, WIDTH, WIDTH))
        return self.image(self.decoder(strength * matched + (1 - strength) * x))


def build() -> nn.Module:
    """Return the network, its widths a quarter of the published ones."""
    torch.manual_seed(6)
    module = MsgNet()
    content, one = pictures(0, 255), torch.ones(1)
    run = lambda: module.transfer(content, module.encode(content.flip(0)), one)  # noqa: E731
    return weighted(module, module.image, run, spread=40.0, middle=127.0)
