"""Optimal transport of features between Gaussians (Lu et al., ICCV 2019, equation 10).

With x the content's features, S covariances and μ means,

    T = Sc^(-1/2) · (Sc^(1/2) · Ss · Sc^(1/2))^(1/2) · Sc^(-1/2)
    f = T · (x - μ(x)) + μ(style),    α·f + (1 - α)·x.

Of all linear maps that give the style's covariance, T moves features least. The root in its middle
has the square of a covariance's condition, more than an iteration in float32 can invert. With
B = Ss^(1/2) and U the orthogonal factor of B·Sc^(1/2), the same map is

    T = B · U · Sc^(-1/2),

of which no matrix is squared. A style enters through (B, μ(style)): the code of `wct`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.models.transforms.newton_schulz import covariance, orthogonal_factor, roots
from styleexport.models.transforms.wct import centred_features, mixed_features


def apply(features: Tensor, code: Tensor, strength: Tensor) -> Tensor:
    """Return the features in a style, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W].
        code: style code, [N, C + C²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
    """
    channels = features.shape[1]
    mean, centred = centred_features(features)
    root, whitening = roots(covariance(centred))
    colouring = code[:, channels:].reshape(-1, channels, channels)
    turned = orthogonal_factor(torch.matmul(colouring, root))
    transport = torch.matmul(colouring, torch.matmul(turned, whitening))
    mixed = mixed_features((mean, centred), transport, code[:, :channels, None], strength)
    return mixed.reshape(features.shape)
