"""Sandwich swap, S² (An et al., ArtNet, 2020): AdaIN, patch matching, AdaIN.

    f = AdaIN(swap(AdaIN(x → bank), bank) → colour),    α·f + (1 - α)·x

The content's features take the bank's statistics before they are matched, so that colours do not
decide which patch is nearest, and the colour's statistics after it. Bank and colour may come of two
styles: texture of one, colour of the other. The statistics of the bank are computed from it.

A style enters through (μ, σ, bank, inverse norms of its patches), in this order: the code,
[N, 2C + C·S² + (S - 2)²], S the side of the bank.
"""

from __future__ import annotations

import torch
from torch import Tensor

from styleexport.models.transforms import adain, patch_match


def code_parts(channels: int, side: int) -> dict[str, tuple[int, ...]]:
    """Return the parts of a style code with their shapes, in order.

    Args:
        channels: number of channels of the features.
        side: height and width of the bank.
    """
    colour = {f"colour.{name}": (channels,) for name in ("mean", "deviation")}
    matched = patch_match.code_parts(channels, side)
    return {**colour, **{f"texture.{name}": shape for name, shape in matched.items()}}


def style_code(features: Tensor) -> Tensor:
    """Return the style code [N, 2C + C·S² + (S - 2)²] of features [N, C, S, S]."""
    colour = adain.style_code([features], unbiased=False)
    return torch.cat([colour, patch_match.style_code(features)], 1)


def apply(features: Tensor, code: Tensor, strength: Tensor, side: int) -> Tensor:
    """Return the features in a style, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W], H and W 3 or more.
        code: style code, [N, 2C + C·S² + (S - 2)²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
        side: height and width of the bank, S.

    Raises:
        ValueError: the features are smaller than a patch, or the code is of another bank.
    """
    channels = features.shape[1]
    colour, texture = code[:, : 2 * channels], code[:, 2 * channels :]
    bank = texture[:, : channels * side**2].reshape(-1, channels, side, side)
    matched = adain.normalise_to(features, adain.style_code([bank], unbiased=False))
    swapped = patch_match.apply(matched, texture, torch.ones_like(strength), side)
    return features + strength * (adain.normalise_to(swapped, colour) - features)
