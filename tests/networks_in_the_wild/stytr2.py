"""StyTr² (Deng et al., "Image Style Transfer with Transformers", CVPR 2022).

Hard: a transformer on 8x8 patches (multi-head attention, layer norms, a feed-forward part),
positions computed from the content's own features, pooled to 18x18 whatever the picture's size and
resized back, and cross attention to the style's tokens, which are pooled to a fixed grid to be a
code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, HEADS, GRID, POSITIONS = 32, 4, 4, 18


class Block(nn.Module):
    """Attention to the tokens given, then a feed-forward part; each with a residual and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, WIDTH)
        )
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, key: Tensor, value: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x, key, value, need_weights=False)[0])
        return self.norm2(x + self.feed(x))


class StyTr2(nn.Module):
    """Patches, content and style encoders, cross attention, convolutional decoder."""

    pixels = "0..1"

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 8, 8)
        self.positions = nn.Conv2d(WIDTH, WIDTH, 1)
        self.content_encoder, self.style_encoder, self.cross = Block(), Block(), Block()
        layers: list[nn.Module] = []
        for width in (WIDTH, WIDTH // 2, WIDTH // 4):
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width // 2, 3), nn.ReLU()]
            layers += [nn.Upsample(scale_factor=2, mode="nearest")]
        self.decoder = nn.Sequential(*layers, nn.ReflectionPad2d(1))
        self.image = nn.Conv2d(WIDTH // 8, 3, 3)

    def encode(self, style: Tensor) -> Tensor:
        tokens = F.adaptive_avg_pool2d(self.patches(style), GRID).flatten(2).transpose(1, 2)
        return self.style_encoder(tokens, tokens, tokens).flatten(1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        patches = self.patches(content)
        sides = patches.shape[2:]
        pooled = self.positions(F.adaptive_avg_pool2d(patches, POSITIONS))
        places = F.interpolate(pooled, size=tuple(sides), mode="bilinear", align_corners=False)
        tokens = patches.flatten(2).transpose(1, 2)
        placed = tokens + places.flatten(2).transpose(1, 2)
        tokens = self.content_encoder(placed, placed, tokens)
        style = code.reshape(-1, GRID * GRID, WIDTH)
        styled = self.cross(tokens, style, style)
        mixed = strength * styled + (1 - strength) * tokens
        return self.image(self.decoder(mixed.transpose(1, 2).reshape(-1, WIDTH, *sides)))


def build() -> nn.Module:
    """Return the network, one block a stage and a sixteenth of the published width."""
    torch.manual_seed(9)
    module = StyTr2()
    content, one = pictures(), torch.ones(1)
    run = lambda: module.transfer(content, module.encode(content.flip(0)), one)  # noqa: E731
    return weighted(module, module.image, run, spread=0.15, middle=0.5)
