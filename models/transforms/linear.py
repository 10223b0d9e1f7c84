"""Learned linear transform of features (Li et al., CVPR 2019): the cheapest of second order.

Two small networks map the centred features of the style and of the content to 32x32 matrices, Sm
and Cm, each from the Gram matrix of 32 feature maps. With x the content's features and μ means,

    f = unzip(Sm · Cm · compress(x - μ(x))) + μ(style).

A style enters through (Sm, μ(style)) alone: that pair is the style code, [N, 1024 + C], the matrix
row by row first. f is linear in it, so a weighted mean of codes gives the weighted mean of features
exactly. The published network has no strength; here α·f + (1 - α)·x, as whitening transforms have
it. The matrix products have fixed shapes: no root, no decomposition.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Side of the matrices, published for every layer.
SIDE = 32


class MatrixNet(nn.Module):
    """Maps centred features [N, C, h, w] to a matrix [N, 32, 32]; keys as published.

    Args:
        channels: number of channels of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = channels // 2, max(channels // 4, SIDE)
        self.convs = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(widths[0], widths[1], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(widths[1], SIDE, 3, padding=1),
        )
        self.fc = nn.Linear(SIDE * SIDE, SIDE * SIDE)

    def forward(self, centred: Tensor) -> Tensor:
        """Return the matrix of centred features.

        Features are divided by √(hw) before their product: sums of products over the map would
        leave float16.
        """
        maps = self.convs(centred)
        rows = maps.flatten(2) * (maps.shape[2] * maps.shape[3]) ** -0.5
        gram = torch.matmul(rows, rows.transpose(1, 2))
        return self.fc(gram.flatten(1)).reshape(-1, SIDE, SIDE)


class LinearTransform(nn.Module):
    """The transform at one layer; keys as published (``snet``, ``cnet``, ``compress``, ``unzip``).

    Args:
        channels: number of channels of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snet = MatrixNet(channels)
        self.cnet = MatrixNet(channels)
        self.compress = nn.Conv2d(channels, SIDE, 1)
        self.unzip = nn.Conv2d(SIDE, channels, 1)

    def style_code(self, features: Tensor) -> Tensor:
        """Return the style code [N, 1024 + C] of style features [N, C, h, w]."""
        mean = features.mean((2, 3), keepdim=True)
        return torch.cat([self.snet(features - mean).flatten(1), mean.flatten(1)], 1)

    def forward(self, features: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the features in a style, [N, C, h, w].

        Args:
            features: content features, [N, C, h, w].
            code: style code, [N, 1024 + C].
            strength: α in 0..1, [1]; 0 returns the features unchanged.
        """
        mean = features.mean((2, 3), keepdim=True)
        centred = features - mean
        style = code[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE)
        matrix = torch.matmul(style, self.cnet(centred))
        maps = self.compress(centred)
        moved = torch.matmul(matrix, maps.flatten(2)).reshape(maps.shape)
        styled = self.unzip(moved) + code[:, SIDE * SIDE :, None, None]
        return features + strength * (styled - features)
