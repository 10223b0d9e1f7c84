"""Whether a picture keeps its style and its content, in the features of a loss network.

With a style picture, the figure is the distance of each output to it, and the change from the
reference's to the candidate's. A network with a style of its own has no style picture: there the
change is the distance of the candidate's statistics to the reference's, never negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from styleexport.core.arrays import Array
from styleexport.core.perceptual import (
    LossNetwork,
    gram_distance,
    gram_matrices,
    style_distance,
    style_statistics,
)


@dataclass(frozen=True)
class StyleFeatures:
    """What a loss network says of one picture's style.

    Attributes:
        statistics: means and deviations, [1, 2·ΣC].
        grams: Gram matrices, one [1, C, C] a layer.
    """

    statistics: Tensor
    grams: tuple[Tensor, ...]

    @classmethod
    @torch.inference_mode()
    def of(cls, image: Array, network: LossNetwork) -> StyleFeatures:
        """Return the style of a picture [1, 3, H, W] in 0..1."""
        features = network(torch.from_numpy(np.ascontiguousarray(image)))
        return cls(style_statistics(features), gram_matrices(features))

    def distances(self, target: StyleFeatures, network: LossNetwork) -> tuple[float, float]:
        """Return the relative distance to another style, in statistics and in Gram matrices."""
        statistics = style_distance(self.statistics, target.statistics, network.widths)
        return float(statistics), float(gram_distance(self.grams, target.grams))
