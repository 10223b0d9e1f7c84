"""Decoder of adain-residual: adain-lite's, with residual blocks that take style statistics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.decoders.lite import LiteDecoder
from styleexport.models.encoders._lite import conv
from styleexport.models.transforms import adain

BLOCKS = 2


def closed(layer: nn.Conv2d) -> nn.Conv2d:
    """Return a convolution with zero weights: a residual block starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class BottleneckBlock(nn.Module):
    """x + expand(relu(AdaIN(filter(relu(reduce(x)))))): 1x1, 3x3 and 1x1 convolutions."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.filter = conv(inner, inner)
        self.expand = closed(nn.Conv2d(inner, channels, 1))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Return features [N, C, H, W] for features and a style code [N, 2·inner]."""
        inner = self.filter(F.relu(self.reduce(x)))
        return x + self.expand(F.relu(adain.normalise_to(inner, code)))


class FlatBlock(nn.Module):
    """x + filter(relu(AdaIN(x))): one 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = closed(conv(channels, channels))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Return features [N, C, H, W] for features and a style code [N, 2·C]."""
        return x + self.filter(F.relu(adain.normalise_to(x, code)))


class ResidualDecoder(LiteDecoder):
    """Maps the deepest features and a style code of six levels to an image [N, 3, H, W].

    Bottleneck blocks at 1/8 widen the field of view, flat blocks at 1/4 draw strokes. Each takes a
    share of the channels of the projection of its level. Blocks that are closed leave adain-lite.
    """

    def __init__(self) -> None:
        super().__init__()
        inner = self.up[0].out_channels
        assert isinstance(inner, int)
        self.wide = nn.ModuleList(
            BottleneckBlock(self.deep.out_channels, inner) for _ in range(BLOCKS)
        )
        self.flat = nn.ModuleList(FlatBlock(inner) for _ in range(BLOCKS))

    def forward(self, deepest: Tensor, codes: Sequence[Tensor]) -> Tensor:
        """Return the image [N, 3, H, W].

        Args:
            deepest: features of the content, [N, C, H/8, W/8].
            codes: style codes, one [N, 2C] per level, full size first, then those of the
                projections at 1/4 and at 1/8.
        """
        *levels, quarter, eighth = codes
        x = F.relu(adain.normalise_to(deepest, levels[-1]))
        for block, code in zip(self.wide, shares(eighth), strict=True):
            x = block(x, code)
        x = F.relu(self.deep(x))
        for index, layer in enumerate(self.up):
            x = layer(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = F.relu(adain.normalise_to(x, levels[-2 - index]))
            if index < len(self.refine):
                x = F.relu(self.refine[index](x))
            if index == 0:
                for block, code in zip(self.flat, shares(quarter), strict=True):
                    x = block(x, code)
        return self.image(x)


def shares(code: Tensor) -> list[Tensor]:
    """Return a projection's code [N, 2C] as one code [N, 2C/BLOCKS] per block."""
    channels = code.shape[1] // 2
    step = channels // BLOCKS
    means, deviations = code[:, :channels].split(step, 1), code[:, channels:].split(step, 1)
    return [torch.cat(pair, 1) for pair in zip(means, deviations, strict=True)]
