"""Whitening and colouring of features (Li et al., NeurIPS 2017).

With x the content's features, S covariances and μ means,

    f = Ss^(1/2) · Sc^(-1/2) · (x - μ(x)) + μ(style),    α·f + (1 - α)·x.

A style enters through (Ss^(1/2), μ(style)) alone: that pair is the style code, [N, C + C²], the
mean first, then the matrix row by row. f is linear in it, so weighted means of codes are the
paper's interpolation of styles. Strength goes into the matrix: no second pass over the features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import covariance, roots

# Steps of a style's root, which is computed once.
STYLE_ITERATIONS = 20


def centred_features(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean [N, C, 1] of features [N, C, H, W], and them less it, [N, C, HW]."""
    mean = features.mean((2, 3), keepdim=True)
    return mean.flatten(2), (features - mean).flatten(2)


def style_root(matrix: Tensor) -> Tensor:
    """Return the root of a style's covariance, [N, C, C]."""
    return roots(matrix, iterations=STYLE_ITERATIONS)[0]


def style_code(features: Tensor, root_of: Callable[[Tensor], Tensor] = style_root) -> Tensor:
    """Return the style code [N, C + C²] of features [N, C, h, w].

    Args:
        features: style features.
        root_of: maps their covariance Ss, [N, C, C], to the matrix of the code.
    """
    mean, centred = centred_features(features)
    return torch.cat([mean.flatten(1), root_of(covariance(centred)).flatten(1)], 1)


def apply(features: Tensor, code: Tensor, strength: Tensor) -> Tensor:
    """Return the features in a style, [N, C, H, W]; see `with_matrix`."""
    return with_matrix(features, code, strength, lambda b, s: torch.matmul(b, roots(s)[1]))


def with_matrix(
    features: Tensor,
    code: Tensor,
    strength: Tensor,
    matrix_of: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Return α·(M·(x - μ(x)) + μ(style)) + (1 - α)·x, [N, C, H, W].

    Args:
        features: content features x, [N, C, H, W].
        code: style code, [N, C + C²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
        matrix_of: maps Ss^(1/2) and Sc, [N, C, C] each, to M, [N, C, C].
    """
    channels = features.shape[1]
    mean, centred = centred_features(features)
    style_mean = code[:, :channels, None]
    style_root = code[:, channels:].reshape(-1, channels, channels)
    eye = torch.eye(channels, dtype=features.dtype, device=features.device)
    matrix = eye + strength * (matrix_of(style_root, covariance(centred)) - eye)
    mixed = mean + strength * (style_mean - mean)
    return (torch.matmul(matrix, centred) + mixed).reshape(features.shape)
