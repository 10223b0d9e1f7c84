"""Whitening and colouring with a ridge of one (PCA-KD, Chiu and Gurari, CVPR 2022).

With x the content's features, S covariances over their pixels and μ means,

    f = (Ss + I)^(1/2) · (Sc + I)^(-1/2) · (x - μ(x)) + μ(style),    α·f + (1 - α)·x,

as the release computes it; the publication writes no ridge. It is absolute: features of small
covariance are hardly changed, and no eigenvalue is below one, so that sixteen steps of the
iteration are more than it needs. A style's code is that of `wct`, with (Ss + I)^(1/2).
"""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.models.transforms import wct
from styleexport.models.transforms.newton_schulz import covariance, roots


def style_code(features: Tensor) -> Tensor:
    """Return the style code [N, C + C²] of features [N, C, h, w]: mean, then (Ss + I)^(1/2)."""
    return wct.style_code(features, lambda x: _ridged_roots(covariance(x), features)[0])


def apply(features: Tensor, code: Tensor, strength: Tensor) -> Tensor:
    """Return the features in a style, [N, C, H, W]; see `wct.with_matrix`."""
    return wct.with_matrix(
        features,
        code,
        strength,
        lambda root, matrix: torch.matmul(root, _ridged_roots(matrix, features)[1]),
    )


def _ridged_roots(matrix: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the roots of S + I for the covariance of features over one pixel less, S·n/(n - 1)."""
    pixels = features.shape[2] * features.shape[3]
    eye = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    return roots(matrix * ((pixels - 1) / pixels) + eye, ridge=0.0)
