"""Whitening and colouring of features (Li et al., NeurIPS 2017).

With x the content's features, S covariances and μ means,

    f = Ss^(1/2) · Sc^(-1/2) · (x - μ(x)) + μ(style),    α·f + (1 - α)·x.

A style enters through (Ss^(1/2), μ(style)) alone: that pair is the style code, [N, C + C²], the
mean first, then the matrix row by row. f is linear in it, so weighted means of codes are the
paper's interpolation of styles. Strength goes into the matrix: no second pass over the features.

Where there are no more pixels n than channels C, Sc has no inverse. With X the centred features
over √(n - 1), the root is then taken of the smaller Xᵀ·X:

    Sc^(-1/2)·X = X·(Xᵀ·X)^(-1/2)    Ss^(1/2) = X·(Xᵀ·X)^(-1/2)·Xᵀ

The sum over pixels, which X takes to 0, is the one direction that Xᵀ·X always lacks: it is given
the mean eigenvalue of the others, which changes neither.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import (
    ITERATIONS,
    STYLE_ITERATIONS,
    Steps,
    covariance,
    exact_roots,
    roots,
)

DEFAULT_STEPS = Steps()
# Of a rank in float64, as a share of the largest singular value.
SMALLEST = 1e-7


def centred_features(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean [N, C, 1] of features [N, C, H, W], and them less it, [N, C, HW]."""
    mean = features.mean((2, 3), keepdim=True)
    return mean.flatten(2), (features - mean).flatten(2)


def _pixel_whitened(rows: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Return (X·Xᵀ)^(-1/2)·X of X [N, C, n] of rows that sum to 0, n up to C."""
    pixels = rows.shape[2]
    total = (rows * rows).sum((1, 2), keepdim=True)
    matrix = torch.matmul(rows.transpose(1, 2), rows) + total / (pixels * max(pixels - 1, 1))
    return torch.matmul(rows, roots(matrix, iterations=iterations)[1])


def root_and_whitened(centred: Tensor, iterations: int = ITERATIONS) -> tuple[Tensor, Tensor]:
    """Return S^(1/2) [N, C, C] and S^(-1/2)·x of centred features x, [N, C, n]."""
    channels, pixels = centred.shape[1:]
    if pixels > channels:
        root, inverse_root = roots(covariance(centred), iterations=iterations)
        return root, torch.matmul(inverse_root, centred)
    scale = max(pixels - 1, 1) ** 0.5
    rows = centred / scale
    white = _pixel_whitened(rows, iterations)
    return torch.matmul(white, rows.transpose(1, 2)), white * scale


def style_root(centred: Tensor, iterations: int = STYLE_ITERATIONS) -> Tensor:
    """Return the root [N, C, C] of the covariance of a style's centred features [N, C, hw]."""
    return root_and_whitened(centred, iterations)[0]


def style_code(features: Tensor, root_of: Callable[[Tensor], Tensor] = style_root) -> Tensor:
    """Return the style code [N, C + C²] of features [N, C, h, w].

    Args:
        features: style features.
        root_of: maps them less their mean, [N, C, hw], to the matrix of the code, [N, C, C].
    """
    mean, centred = centred_features(features)
    return torch.cat([mean.flatten(1), root_of(centred).flatten(1)], 1)


def apply(features: Tensor, code: Tensor, strength: Tensor, steps: Steps = DEFAULT_STEPS) -> Tensor:
    """Return the features in a style, [N, C, H, W]; see `with_matrix`."""
    count = steps.content
    return with_matrix(
        features,
        code,
        strength,
        lambda root, matrix: torch.matmul(root, roots(matrix, iterations=count)[1]),
        lambda root, rows: torch.matmul(root, _pixel_whitened(rows, count)),
    )


def exact(root: Tensor, centred: Tensor) -> Tensor:
    """Return what M·x converges to, by eigenvalues and singular values, all in float64.

    Args:
        root: Ss^(1/2), [N, C, C].
        centred: x, [N, C, n].
    """
    channels, pixels = centred.shape[1:]
    if pixels > channels:
        inverse_root = exact_roots(covariance(centred))[1]
        return torch.matmul(torch.matmul(root, inverse_root), centred)
    return torch.matmul(root, exact_factor(centred)) * max(pixels - 1, 1) ** 0.5


def exact_factor(matrix: Tensor) -> Tensor:
    """Return the orthogonal factor of A [N, C, n] in float64, without directions that A lacks."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = (values > SMALLEST * values.amax(1, keepdim=True)).to(values.dtype)
    return torch.matmul(left * kept[:, None, :], right)


def with_matrix(
    features: Tensor,
    code: Tensor,
    strength: Tensor,
    matrix_of: Callable[[Tensor, Tensor], Tensor],
    product_of: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Return α·(M·(x - μ(x)) + μ(style)) + (1 - α)·x, [N, C, H, W].

    Args:
        features: content features x, [N, C, H, W].
        code: style code, [N, C + C²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
        matrix_of: maps Ss^(1/2) and Sc, [N, C, C] each, to M, [N, C, C].
        product_of: maps Ss^(1/2) and X, [N, C, HW], to M·X, where HW is C or less; None where M is
            computed as well then.
    """
    channels = features.shape[1]
    mean, centred = centred_features(features)
    pixels = centred.shape[2]
    style_mean = code[:, :channels, None]
    root = code[:, channels:].reshape(-1, channels, channels)
    mixed = mean + strength * (style_mean - mean)
    if product_of is not None and pixels <= channels:
        scale = max(pixels - 1, 1) ** 0.5
        styled = product_of(root, centred / scale) * scale
        return (centred + strength * (styled - centred) + mixed).reshape(features.shape)
    eye = torch.eye(channels, dtype=features.dtype, device=features.device)
    matrix = eye + strength * (matrix_of(root, covariance(centred)) - eye)
    return (torch.matmul(matrix, centred) + mixed).reshape(features.shape)
