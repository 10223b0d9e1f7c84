"""Linear optimal transport of colours: one picture's RGB mean and covariance onto another's.

Between Gaussians N(μ₁, Σ₁) and N(μ₂, Σ₂) the map of least squared distance is linear (Olkin and
Pukelsheim 1982; for colours Pitié and Kokaram 2007, section 4.3):

    T(x) = A·(x - μ₁) + μ₂,    A = Σ₁^(-1/2) · (Σ₁^(1/2) Σ₂ Σ₁^(1/2))^(1/2) · Σ₁^(-1/2)

It is the colour filter that a style distance is judged against: it moves a photograph's palette
and draws nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Added to the variances of both pictures, so that a grey one has an inverse; half a step of 8 bits.
EPS = (0.5 / 255) ** 2


def transport_matrix(source: Tensor, target: Tensor) -> Tensor:
    """Return A, [3, 3], the symmetric matrix with A·source·A = target.

    Args:
        source: covariance Σ₁, symmetric and positive definite, [3, 3].
        target: covariance Σ₂, likewise.
    """
    root = _power(source, 0.5)
    inverse = _power(source, -0.5)
    return inverse @ _power(root @ target @ root, 0.5) @ inverse


def with_colours_of(content: Tensor, style: Tensor) -> Tensor:
    """Return the content with the style's RGB mean and covariance, [1, 3, H, W], clamped to 0..1.

    Args:
        content: [1, 3, H, W] in 0..1.
        style: [1, 3, h, w] in 0..1, of any size.
    """
    pixels, palette = content[0].flatten(1).double(), style[0].flatten(1).double()
    matrix = transport_matrix(_covariance(pixels), _covariance(palette))
    moved = matrix @ (pixels - pixels.mean(1, keepdim=True)) + palette.mean(1, keepdim=True)
    return moved.reshape(content.shape).to(content.dtype).clamp(0, 1)


def _covariance(pixels: Tensor) -> Tensor:
    """Return the biased covariance of pixels [3, n], plus `EPS` on the diagonal."""
    centred = pixels - pixels.mean(1, keepdim=True)
    return centred @ centred.T / pixels.shape[1] + EPS * torch.eye(3, dtype=pixels.dtype)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric positive semi-definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp_min(1e-12) ** exponent) @ vectors.T
