"""Style decorator (Sheng et al., Avatar-Net, CVPR 2018): patches are matched between whitened maps.

With x the content's features, S covariances, μ means and W = S^(-1/2),

    xw = Wc·(x - μ(x))        bank = Ws·(s - μ(s))
    f  = Ss^(1/2)·(α·swap(xw, bank) + (1 - α)·xw) + μ(s)

Whitened, no channel outweighs another in a correlation. α acts on whitened features, as in the
authors' program: at 0, f is whitening and colouring (`wct`), in which no patch is the style's.
Every place has a patch of its own: the content is continued by reflection and the bank by zeros.
Roots come from matrix products (`newton_schulz`), patches from `patch_match`.

A style enters through (μ(s), Ss^(1/2), bank, inverse norms of its patches), in this order: the
code, [N, C + C² + C·S² + S²], S the side of the bank.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from styleexport.models.transforms import patch_match
from styleexport.models.transforms.wct import (
    STYLE_ITERATIONS,
    centred_features,
    root_and_whitened,
)

# Height and width of a patch, as published.
PATCH = 5


def code_parts(channels: int, side: int) -> dict[str, tuple[int, ...]]:
    """Return the parts of a style code with their shapes, in order.

    Args:
        channels: number of channels of the features.
        side: height and width of the bank.
    """
    return {
        "mean": (channels,),
        "root": (channels, channels),
        "bank": (channels, side, side),
        "inverse_norms": (side, side),
    }


def style_code(features: Tensor) -> Tensor:
    """Return the style code [N, C + C² + C·S² + S²] of features [N, C, S, S]."""
    mean, centred = centred_features(features)
    root, white = root_and_whitened(centred, STYLE_ITERATIONS)
    bank = white.reshape(features.shape)
    norms = patch_match.inverse_norms(_continued(bank), PATCH)
    return torch.cat([part.flatten(1) for part in (mean, root, bank, norms)], 1)


def apply(features: Tensor, code: Tensor, strength: Tensor, side: int) -> Tensor:
    """Return the features in a style, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W], H and W 3 or more.
        code: style code, [N, C + C² + C·S² + S²].
        strength: α in 0..1, [1].
        side: height and width of the bank, S.

    Raises:
        ValueError: the features have less than 3 rows or columns, which cannot be continued.
    """
    channels, height, width = features.shape[1:]
    border = PATCH // 2
    if min(height, width) <= border:
        raise ValueError(
            f"features of {height}x{width} cannot be continued by {border} places for patches of "
            f"{PATCH}x{PATCH}"
        )
    lengths = [channels, channels**2, channels * side**2, side**2]
    mean, root, bank, norms = code.split(lengths, 1)
    _, centred = centred_features(features)
    white = root_and_whitened(centred)[1].reshape(features.shape)
    swapped = patch_match.swap(
        functional.pad(white, (border,) * 4, mode="reflect"),
        _continued(bank.reshape(-1, channels, side, side)),
        norms.reshape(-1, side, side),
        PATCH,
    )[:, :, border : border + height, border : border + width]
    mixed = white + strength * (swapped - white)
    coloured = torch.matmul(root.reshape(-1, channels, channels), mixed.flatten(2))
    return (coloured + mean[:, :, None]).reshape(features.shape)


def _continued(bank: Tensor) -> Tensor:
    """Return a bank [N, C, S, S] with zeros around it: each place is the middle of a patch."""
    return functional.pad(bank, (PATCH // 2,) * 4)
