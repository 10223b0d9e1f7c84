"""Style quality of a compressed network: style distance, and PSNR to the original's paintings.

The style distance is that of `core.perceptual` (Huang and Belongie 2017, equation 13), in a loss
network that is not the network's own encoder. A fixed-style network has no picture of its style:
the original's paintings of the other pictures take its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from PIL import Image
from torch import Tensor

from styleexport.core.perceptual import (
    LossNetwork,
    ScaledStyle,
    gains_beyond_colour,
    style_distance,
    style_statistics,
)
from styleexport.core.psnr import pooled_psnr
from styleexport.core.types import Role, Size
from styleexport.models.compress.cost import Change
from styleexport.models.compress.pictures import at_size
from styleexport.models.losses.loss_network import shipped_loss_network, vgg16_loss_network
from styleexport.models.network import LoadedNetwork

STYLES = 3
GAIN_PLACES = ("at that size", "at 1/2 of it", "at 1/4 of it")


class StyleChange(msgspec.Struct, frozen=True, kw_only=True):
    """Style distance of a network's paintings before and after; less is better.

    Attributes:
        loss_network: name of the loss network; figures of two loss networks cannot be compared.
        size: size of the paintings, height x width.
        pairs: number of paintings.
        distance: mean style distance over them.
        gain_beyond_colour: mean gain beyond colour (`core.perceptual`) at the paintings' size, 1/2
            and 1/4 of it; more is better. () for a network with one style of its own.
    """

    loss_network: str
    size: str
    pairs: int
    distance: Change
    gain_beyond_colour: tuple[Change, ...] = ()

    @property
    def change(self) -> float:
        """Relative change of the distance; 0.05 is 5 % worse."""
        return self.distance.share - 1


@dataclass(frozen=True)
class StyleQuality:
    """Quality of a network's paintings.

    Attributes:
        style: mean style distance.
        psnr_db: PSNR to the original's paintings in dB, pooled over all.
    """

    style: float
    psnr_db: float


def style_network(loss_weights: Path | None) -> LossNetwork:
    """Return the loss network that style is measured in: VGG-16, or without a file the shipped one.

    Raises:
        BadCheckpoint: the weights are not VGG-16's.
    """
    return shipped_loss_network() if loss_weights is None else vgg16_loss_network(loss_weights)


class StyleJudge:
    """Measures networks by their paintings of some pictures, each in the styles of those before it.

    Args:
        original: network that others are compared with.
        pictures: pictures that serve as contents and as styles.
        size: size of all pictures.
        features: loss network.
        styles: number of styles per picture.
    """

    def __init__(
        self,
        original: LoadedNetwork,
        pictures: Sequence[Image.Image],
        size: Size,
        features: LossNetwork,
        styles: int = STYLES,
    ) -> None:
        self.size = size
        self.features = features
        self._pictures = [at_size(picture, size) for picture in pictures]
        self._styles = max(1, min(styles, len(pictures) - 1))
        self._references = self._paint(original)
        sources = self._pictures if len(original.roles) > 1 else self._references
        targets = [self._statistics(picture) for picture in sources]
        self._targets = [targets[style] for _, style in self._pairs()]
        self._network = original
        self.original = self(original)

    @property
    def pairs(self) -> int:
        """Number of pairs of a content and a style."""
        return len(self._pairs())

    def __call__(self, network: LoadedNetwork) -> StyleQuality:
        """Return the quality of a network's paintings of all pairs."""
        paintings, references = self._paint(network), self._references
        if len(paintings) < self.pairs:
            contents = [content for content, _ in self._pairs()]
            paintings = [paintings[content] for content in contents]
            references = [references[content] for content in contents]
        distances = [
            float(style_distance(self._statistics(painting), target, self.features.widths))
            for painting, target in zip(paintings, self._targets, strict=True)
        ]
        errors = [
            float((a.double() - b.double()).square().mean())
            for a, b in zip(paintings, references, strict=True)
        ]
        return StyleQuality(sum(distances) / len(distances), pooled_psnr(errors))

    def change(self, network: LoadedNetwork) -> StyleChange:
        """Return the style distance and the gain of the original and of another network."""
        gains = zip(self._gains(self._network), self._gains(network), strict=True)
        return StyleChange(
            loss_network=self.features.name,
            size=str(self.size),
            pairs=self.pairs,
            distance=Change(round(self.original.style, 6), round(self(network).style, 6)),
            gain_beyond_colour=tuple(Change(round(a, 4), round(b, 4)) for a, b in gains),
        )

    def _gains(self, network: LoadedNetwork) -> tuple[float, ...]:
        """Return a network's mean gain beyond colour at each scale; () without style pictures."""
        if len(network.roles) == 1:
            return ()
        styles = [ScaledStyle.of(picture, self.features) for picture in self._pictures]
        rows: list[tuple[float, ...]] = []
        for (content, style), painting in zip(self._pairs(), self._paint(network), strict=True):
            moved = styles[style].colour_distances(self._pictures[content])
            rows.append(gains_beyond_colour(styles[style].distances(painting), moved))
        return tuple(sum(column) / len(column) for column in zip(*rows, strict=True))

    def _pairs(self) -> list[tuple[int, int]]:
        """Return pairs of indices, content and style."""
        count = len(self._pictures)
        return [(i, (i - n) % count) for i in range(count) for n in range(1, self._styles + 1)]

    @torch.inference_mode()
    def _paint(self, network: LoadedNetwork) -> list[Tensor]:
        """Return the painting of each pair; for a fixed-style network, of each picture."""
        if len(network.roles) == 1:
            paint = network.role_module(Role.STYLIZE)
            return [paint(picture) for picture in self._pictures]
        encode, transform = (network.role_module(r) for r in (Role.ENCODE, Role.TRANSFORM))
        codes = [encode(picture) for picture in self._pictures]
        one = torch.ones(1)
        return [transform(self._pictures[i], codes[j], one) for i, j in self._pairs()]

    @torch.inference_mode()
    def _statistics(self, picture: Tensor) -> Tensor:
        return style_statistics(self.features(picture))
