"""Optimal transport of features between Gaussians (Lu et al., ICCV 2019, equation 10).

With x the content's features, S covariances and μ means,

    T = Sc^(-1/2) · (Sc^(1/2) · Ss · Sc^(1/2))^(1/2) · Sc^(-1/2)
    f = T · (x - μ(x)) + μ(style),    α·f + (1 - α)·x.

Of all linear maps that give the style's covariance, T moves features least. The root in its middle
has the square of a covariance's condition, more than an iteration in float32 can invert. With
B = Ss^(1/2) and U the orthogonal factor of B·Sc^(1/2), the same map is

    T = B · U · Sc^(-1/2),

of which no matrix is squared. A style enters through (B, μ(style)): the code of `wct`.

Where there are no more pixels n than channels, Sc has no inverse. With X the centred features over
√(n - 1) and U the orthogonal factor of B·X, of n columns, T·X = B·U: the limit for a vanishing
ridge. It reaches as much of the style's covariance as n pixels can have; with eigenvalues cut off,
as published, features would stay within the directions of the content.
"""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import (
    FLOOR,
    Steps,
    covariance,
    exact_roots,
    orthogonal_factor,
    roots,
)
from styleexport.models.transforms.wct import DEFAULT_STEPS, exact_factor, with_matrix


def apply(features: Tensor, code: Tensor, strength: Tensor, steps: Steps = DEFAULT_STEPS) -> Tensor:
    """Return the features in a style, [N, C, H, W]; see `with_matrix`."""
    return with_matrix(
        features,
        code,
        strength,
        lambda root, matrix: _transport(root, matrix, steps),
        lambda root, rows: _transported(root, rows, steps),
    )


def exact(root: Tensor, centred: Tensor) -> Tensor:
    """Return what T·x converges to, by eigenvalues and singular values, all in float64.

    Args:
        root: Ss^(1/2), [N, C, C].
        centred: x, [N, C, n].
    """
    channels, pixels = centred.shape[1:]
    if pixels > channels:
        content, inverse_root = exact_roots(covariance(centred))
        factor = exact_factor(torch.matmul(root, content))
        return torch.matmul(torch.matmul(root, torch.matmul(factor, inverse_root)), centred)
    moved = exact_factor(torch.matmul(root, centred))
    return torch.matmul(root, moved) * max(pixels - 1, 1) ** 0.5


def _transport(style_root: Tensor, covariance: Tensor, steps: Steps) -> Tensor:
    """Return T of Ss^(1/2) and Sc, [N, C, C] each."""
    root, inverse_root = roots(covariance, iterations=steps.content)
    factor = orthogonal_factor(torch.matmul(style_root, root), steps.factor)
    return torch.matmul(style_root, torch.matmul(factor, inverse_root))


def _transported(style_root: Tensor, rows: Tensor, steps: Steps) -> Tensor:
    """Return T·X of Ss^(1/2) [N, C, C] and X, [N, C, n].

    The orthogonal factor would make a style of rounding. The sum over pixels, 0 in X, is taken
    from it, and it vanishes with X, where the content is of one colour.
    """
    product = torch.matmul(style_root, rows)
    factor = orthogonal_factor(product.transpose(1, 2), steps.factor)
    factor = factor - factor.mean(1, keepdim=True)
    total = (rows * rows).sum((1, 2), keepdim=True)
    present = total / (total + FLOOR * rows.shape[1])
    return torch.matmul(style_root, factor.transpose(1, 2) * present)
