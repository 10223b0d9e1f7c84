"""Adaptive instance normalisation (Huang and Belongie, ICCV 2017, equation 8).

AdaIN(c, s) = σ(s) · (c - μ(c)) / σ(c) + μ(s), per channel and image, with σ² = var + ε.

A style enters only through (μ(s), σ(s)): that pair is the style code, [N, 2C], means first. Since
AdaIN is linear in the code, the paper's style blends (equation 15) are weighted sums of codes. Its
content-style trade-off t = (1-α)·c + α·AdaIN(c, s) (equation 14) is a blend too, because c itself
is AdaIN(c, code of c): the code used is (1-α)·code(c) + α·code(s), so strength costs 2C
multiplications and no second pass over the features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

EPS = 1e-5


def statistics(features: Tensor, *, unbiased: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and standard deviation, [N, C, 1, 1] each, and the centred features [N, C, H, W].

    The variance is two-pass, mean((x - μ)²), and is scaled by n/(n-1) afterwards when ``unbiased``,
    as the public AdaIN release computes it; the separate factor survives every converter.

    Args:
        features: [N, C, H, W].
        unbiased: whether the variance divides by n - 1.
    """
    mean = features.mean((2, 3), keepdim=True)
    centred = features - mean
    variance = (centred * centred).mean((2, 3), keepdim=True)
    if unbiased:
        n = features.shape[2] * features.shape[3]
        variance = variance * (n / (n - 1))
    return mean, torch.sqrt(variance + EPS), centred


def style_code(features: Sequence[Tensor], *, unbiased: bool) -> Tensor:
    """Return the style code [N, 2·ΣC]: mean and standard deviation, level by level.

    Args:
        features: one or more feature maps [N, C, H, W].
        unbiased: whether variances divide by n - 1.
    """
    parts: list[Tensor] = []
    for level in features:
        mean, deviation, _ = statistics(level, unbiased=unbiased)
        parts += [mean.flatten(1), deviation.flatten(1)]
    return torch.cat(parts, dim=1)


def apply(features: Tensor, code: Tensor, strength: Tensor, *, unbiased: bool) -> Tensor:
    """Return the features with the style's statistics, [N, C, H, W] (equations 8 and 14).

    Args:
        features: content features, [N, C, H, W].
        code: style code, [N, 2C].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
        unbiased: whether variances divide by n - 1.
    """
    mean, deviation, centred = statistics(features, unbiased=unbiased)
    style_mean, style_deviation = _per_channel(code, features)
    mixed_mean = mean + strength * (style_mean - mean)
    mixed_deviation = deviation + strength * (style_deviation - deviation)
    return centred * (mixed_deviation / deviation) + mixed_mean


def normalise_to(features: Tensor, code: Tensor) -> Tensor:
    """Return features [N, C, H, W] with the mean and deviation of a code [N, 2C] (equation 8).

    AdaIN at full strength with biased variances.
    """
    _, deviation, centred = statistics(features, unbiased=False)
    style_mean, style_deviation = _per_channel(code, features)
    return centred * (style_deviation / deviation) + style_mean


def _per_channel(code: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return a code's means and deviations, [N, C, 1, 1] each."""
    channels = features.shape[1]
    return code[:, :channels, None, None], code[:, channels:, None, None]


def blend(codes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted mean of style codes [N, K] (equation 15); weights need not sum to one.

    Raises:
        ValueError: no codes, a different number of weights, or weights that sum to zero or less.
    """
    if not codes or len(codes) != len(weights):
        raise ValueError(
            f"expected one weight per code, got {len(codes)} codes, {len(weights)} weights"
        )
    total = sum(weights)
    if total <= 0:
        raise ValueError(f"weights must sum to more than zero, got {list(weights)}")
    return torch.stack([c * (w / total) for c, w in zip(codes, weights, strict=True)]).sum(0)
