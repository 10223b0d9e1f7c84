"""Style distance of pictures in the features of a loss network.

With a style picture, each output has a distance to it, and the change is that from reference to
candidate. A network with one style of its own has no style picture: its change is the distance of
the candidate's statistics to the reference's, never negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from styleexport.core.arrays import Array
from styleexport.core.perceptual import (
    LossNetwork,
    ScaledStyle,
    gains_beyond_colour,
    gram_distance,
    gram_matrices,
    style_distance,
    style_statistics,
)


@dataclass(frozen=True)
class StyleFeatures:
    """Style features of one picture.

    Attributes:
        statistics: means and standard deviations of all channels, [1, 2·ΣC].
        grams: Gram matrix of each layer, [1, C, C].
    """

    statistics: Tensor
    grams: tuple[Tensor, ...]

    @classmethod
    @torch.inference_mode()
    def of(cls, image: Array, network: LossNetwork) -> StyleFeatures:
        """Return the features of a picture [1, 3, H, W] in 0..1."""
        features = network(torch.from_numpy(np.ascontiguousarray(image)))
        return cls(style_statistics(features), gram_matrices(features))

    def distances(self, target: StyleFeatures, network: LossNetwork) -> tuple[float, float]:
        """Return the relative distances to another style, in statistics and in Gram matrices."""
        statistics = style_distance(self.statistics, target.statistics, network.widths)
        return float(statistics), float(gram_distance(self.grams, target.grams))


@torch.inference_mode()
def scaled_style(picture: Array, network: LossNetwork) -> ScaledStyle:
    """Return the statistics of a style picture [1, 3, H, W] in 0..1 at full size, 1/2 and 1/4."""
    return ScaledStyle.of(torch.from_numpy(np.ascontiguousarray(picture)), network)


@torch.inference_mode()
def gains(
    content: Array, style: ScaledStyle, paintings: tuple[Array, Array]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the gain beyond colour of two paintings of one content, at each scale.

    Args:
        content: photograph, [1, 3, H, W] in 0..1.
        style: its style.
        paintings: two paintings, [1, 3, H, W] in 0..1 each.
    """
    image, first, second = (
        torch.from_numpy(np.ascontiguousarray(each)) for each in (content, *paintings)
    )
    moved = style.colour_distances(image)
    return (
        gains_beyond_colour(style.distances(first), moved),
        gains_beyond_colour(style.distances(second), moved),
    )
