"""Whitening and colouring of features (Li et al., NeurIPS 2017).

With x the content's features, S covariances and μ means,

    f = Ss^(1/2) · Sc^(-1/2) · (x - μ(x)) + μ(style),    α·f + (1 - α)·x.

A style enters through (Ss^(1/2), μ(style)) alone: that pair is the style code, [N, C + C²], the
mean first, then the matrix row by row. f is linear in it, so weighted means of codes are the
paper's interpolation of styles. Strength goes into the matrix: no second pass over the features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import covariance, roots

# Steps of a style's root, which is computed once.
STYLE_ITERATIONS = 20


def centred_features(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean [N, C, 1] of features [N, C, H, W], and them less it, [N, C, HW]."""
    mean = features.mean((2, 3), keepdim=True)
    return mean.flatten(2), (features - mean).flatten(2)


def style_code(features: Tensor) -> Tensor:
    """Return the style code [N, C + C²] of features [N, C, h, w]."""
    mean, centred = centred_features(features)
    root, _ = roots(covariance(centred), iterations=STYLE_ITERATIONS)
    return torch.cat([mean.flatten(1), root.flatten(1)], 1)


def apply(features: Tensor, code: Tensor, strength: Tensor) -> Tensor:
    """Return the features in a style, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W].
        code: style code, [N, C + C²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
    """
    channels = features.shape[1]
    mean, centred = centred_features(features)
    _, whitening = roots(covariance(centred))
    colouring = code[:, channels:].reshape(-1, channels, channels)
    matrix = torch.matmul(colouring, whitening)
    mixed = mixed_features((mean, centred), matrix, code[:, :channels, None], strength)
    return mixed.reshape(features.shape)


def mixed_features(
    parts: tuple[Tensor, Tensor], matrix: Tensor, style_mean: Tensor, strength: Tensor
) -> Tensor:
    """Return α·f + (1 - α)·x, [N, C, HW], where f = matrix·(x - μ(x)) + μ(style).

    Args:
        parts: mean [N, C, 1] and centred features [N, C, HW] of the content.
        matrix: [N, C, C].
        style_mean: [N, C, 1].
        strength: α, [1].
    """
    mean, centred = parts
    eye = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    moved = eye + strength * (matrix - eye)
    return torch.matmul(moved, centred) + (mean + strength * (style_mean - mean))
