"""What a network that lost channels paints: its style distance, and its PSNR to the original.

The style distance is that of `core.perceptual` (Huang and Belongie 2017, equation 13), in a loss
network that is not the network's own encoder. A network of one style has no picture of it: there,
the style is the original's own paintings of the other pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from PIL import Image
from torch import Tensor

from styleexport.core.perceptual import LossNetwork, style_distance, style_statistics
from styleexport.core.types import Role, Size
from styleexport.models.compress.cost import Change
from styleexport.models.compress.pictures import at_size
from styleexport.models.losses.loss_network import shipped_loss_network, vgg16_loss_network
from styleexport.models.network import LoadedNetwork

STYLES = 3
LEAST_ERROR = 1e-20


class StyleChange(msgspec.Struct, frozen=True, kw_only=True):
    """The style distance of a network's paintings before and after; less is better.

    Attributes:
        loss_network: in whose features it is measured; figures of two cannot be compared.
        size: of the paintings, height x width.
        pairs: how many paintings.
        distance: the mean over them.
    """

    loss_network: str
    size: str
    pairs: int
    distance: Change

    @property
    def change(self) -> float:
        """By what share the distance grew."""
        return self.distance.share - 1


@dataclass(frozen=True)
class Judged:
    """What a network paints: its mean style distance, and its pooled PSNR to the original."""

    style: float
    psnr_db: float


def style_network(loss_weights: Path | None) -> LossNetwork:
    """Return the loss network that style is measured in: VGG-16 if its weights are given.

    Raises:
        BadCheckpoint: they are not VGG-16's.
    """
    return shipped_loss_network() if loss_weights is None else vgg16_loss_network(loss_weights)


class StyleJudge:
    """Judges networks by their paintings of some pictures, each in the style of those before it.

    Args:
        original: the network that others are held against.
        pictures: contents and styles both.
        size: of all.
        features: the loss network.
        styles: for each picture.
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
        self._wanted = self._paint(original)
        shown = self._pictures if len(original.roles) > 1 else self._wanted
        targets = [self._statistics(picture) for picture in shown]
        self._targets = [targets[style] for _, style in self._pairs()]
        self.original = self(original)

    @property
    def pairs(self) -> int:
        """How many pairs of a picture and a style are judged."""
        return len(self._pairs())

    def __call__(self, network: LoadedNetwork) -> Judged:
        """Return what a network paints of the pairs."""
        found = self._paint(network)
        if len(found) < self.pairs:
            found = [found[content] for content, _ in self._pairs()]
            wanted = [self._wanted[content] for content, _ in self._pairs()]
        else:
            wanted = self._wanted
        distances = [
            float(style_distance(self._statistics(painting), target, self.features.widths))
            for painting, target in zip(found, self._targets, strict=True)
        ]
        errors = [
            float((a.double() - b.double()).square().mean())
            for a, b in zip(found, wanted, strict=True)
        ]
        error = max(sum(errors) / len(errors), LEAST_ERROR)
        return Judged(sum(distances) / len(distances), -10 * math.log10(error))

    def change(self, network: LoadedNetwork) -> StyleChange:
        """Return the style distance of the original and of another network."""
        return StyleChange(
            loss_network=self.features.name,
            size=str(self.size),
            pairs=self.pairs,
            distance=Change(round(self.original.style, 6), round(self(network).style, 6)),
        )

    def _pairs(self) -> list[tuple[int, int]]:
        """Return each picture's number with those of its styles."""
        count = len(self._pictures)
        return [(i, (i - n) % count) for i in range(count) for n in range(1, self._styles + 1)]

    @torch.inference_mode()
    def _paint(self, network: LoadedNetwork) -> list[Tensor]:
        """Return the painting of each pair; of a network of one style, of each picture."""
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
