"""Perceptual distances of two pictures in the features of a loss network.

Style: channel means and deviations (Huang and Belongie 2017, equation 13), and Gram matrices (Gatys
et al. 2016, equation 3), layer by layer. Distances are relative, ‖a - b‖₂ / ‖b‖₂, so that no layer
or channel count outweighs another and figures mean the same for every loss network.

Colour alone earns most of a style distance. Gain beyond colour is the share of it that a painting
saves over the photograph with its colours moved to the style's (`core.colour_transfer`):
(D(moved) - D(painting)) / D(moved), 0 or less for a colour filter. It is taken at several scales,
painting and style reduced alike: fine grain shows at full size, strokes and fields of colour below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from styleexport.core.colour_transfer import with_colours_of

GAIN_SCALES = (1, 2, 4)
SMALLEST_SIDE = 16


class LossNetwork(Protocol):
    """Network whose features are compared."""

    @property
    def name(self) -> str:
        """Name in reports; figures of different loss networks are not comparable."""
        ...

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each layer."""
        ...

    def __call__(self, image: Tensor, /) -> Sequence[Tensor]:
        """Return the features of [N, 3, H, W] RGB in 0..1, one [N, C, h, w] per layer."""
        ...


def style_statistics(features: Sequence[Tensor]) -> Tensor:
    """Return each layer's channel means and deviations in one row, [N, 2·ΣC], float32."""
    parts: list[Tensor] = []
    for level in features:
        flat = level.float().flatten(2)
        parts += [flat.mean(2), torch.sqrt(flat.var(2, correction=0) + 1e-6)]
    return torch.cat(parts, dim=1)


def relative_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return ‖a - b‖₂ / ‖b‖₂ of each row, [N]."""
    difference = (a - b).flatten(1)
    return torch.sqrt((difference * difference).sum(1) + 1e-8) / (b.flatten(1).norm(dim=1) + 1e-8)


def style_distance(output: Tensor, style: Tensor, widths: Sequence[int]) -> Tensor:
    """Return the style distance of statistics rows, [N]: the mean over layers, mean and deviation.

    Args:
        output: `style_statistics` of the stylized images.
        style: `style_statistics` of the style images.
        widths: channels of each layer.
    """
    sizes = [width for width in widths for _ in range(2)]
    pairs = zip(output.split(sizes, 1), style.split(sizes, 1), strict=True)
    return torch.stack([relative_distance(a, b) for a, b in pairs]).mean(0)


def reduced(images: Tensor, scale: int) -> Tensor:
    """Return images [N, 3, H, W] reduced by a factor, each pixel the mean of scale x scale."""
    return images if scale == 1 else F.avg_pool2d(images, scale)


def gain_beyond_colour(painting: float, moved: float) -> float:
    """Return (D(moved) - D(painting)) / D(moved); above 0 is more than colour.

    Args:
        painting: style distance of a painting.
        moved: style distance of its photograph with the style's colours.
    """
    return (moved - painting) / max(moved, 1e-8)


@dataclass(frozen=True)
class ScaledStyle:
    """A style picture and its statistics at several scales, to compare pictures with.

    Attributes:
        picture: style picture, [1, 3, H, W] in 0..1.
        features: loss network.
        scales: factors by which pictures are reduced, 1 for full size.
        statistics: `style_statistics` at each scale, [1, 2·ΣC].
    """

    picture: Tensor
    features: LossNetwork
    scales: tuple[int, ...]
    statistics: tuple[Tensor, ...]

    @classmethod
    @torch.no_grad()
    def of(
        cls, picture: Tensor, features: LossNetwork, scales: Sequence[int] = GAIN_SCALES
    ) -> ScaledStyle:
        """Return the statistics of a style picture.

        Args:
            picture: [1, 3, H, W] in 0..1.
            features: loss network.
            scales: factors; those that leave a side under 16 pixels are dropped.
        """
        side = min(picture.shape[2:])
        kept = tuple(scale for scale in scales if scale == 1 or side // scale >= SMALLEST_SIDE)
        rows = tuple(style_statistics(features(reduced(picture, scale))) for scale in kept)
        return cls(picture, features, kept, rows)

    @torch.no_grad()
    def distances(self, picture: Tensor) -> tuple[float, ...]:
        """Return the style distance of a picture [1, 3, H, W] in 0..1 at each scale."""
        distances: list[float] = []
        for scale, target in zip(self.scales, self.statistics, strict=True):
            own = style_statistics(self.features(reduced(picture, scale)))
            distances.append(float(style_distance(own, target, self.features.widths)))
        return tuple(distances)

    def colour_distances(self, content: Tensor) -> tuple[float, ...]:
        """Return the distances of a photograph [1, 3, H, W] in 0..1 with the style's colours."""
        return self.distances(with_colours_of(content, self.picture))


def gains_beyond_colour(painting: Sequence[float], moved: Sequence[float]) -> tuple[float, ...]:
    """Return the gain beyond colour at each scale.

    Args:
        painting: `ScaledStyle.distances` of a painting.
        moved: `ScaledStyle.colour_distances` of its photograph.
    """
    return tuple(gain_beyond_colour(*pair) for pair in zip(painting, moved, strict=True))


def gram_matrices(features: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return each layer's Gram matrix F·Fᵀ / (h·w), [N, C, C], float32."""
    flat = [level.float().flatten(2) for level in features]
    return tuple(level @ level.transpose(1, 2) / level.shape[2] for level in flat)


def gram_distance(output: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
    """Return the relative distance of two pictures' `gram_matrices`, [N]: the mean over layers."""
    pairs = zip(output, style, strict=True)
    return torch.stack([relative_distance(a, b) for a, b in pairs]).mean(0)


class Lpips:
    """Learned perceptual image patch similarity (Zhang et al., CVPR 2018, equation 1).

    Args:
        features: [N, 3, H, W] RGB in 0..1 → the features of each layer.
        heads: the linear head of each layer, [1, C, 1, 1].
    """

    def __init__(
        self, features: Callable[[Tensor], Sequence[Tensor]], heads: Sequence[Tensor]
    ) -> None:
        self.features = features
        self.heads = heads

    @torch.inference_mode()
    def describe(self, image: Tensor) -> list[Tensor]:
        """Return the unit-length features of [N, 3, H, W] RGB in 0..1."""
        return [f / (f.norm(dim=1, keepdim=True) + 1e-10) for f in self.features(image)]

    @torch.inference_mode()
    def distance(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """Return the distance of two described batches, [N]."""
        terms = [
            ((x - y) ** 2 * head).sum(1).mean((1, 2))
            for x, y, head in zip(a, b, self.heads, strict=True)
        ]
        return torch.stack(terms).sum(0)
