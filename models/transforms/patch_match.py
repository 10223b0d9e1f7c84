"""Patch matching (Chen and Schmidt, Fast Patch-based Style Transfer, 2016): style swap.

Every 3x3 patch of the content's features is replaced by the style patch that it correlates with
most, and the patches are averaged where they overlap. A *bank* is a square map of style features,
whose patches do not leave it. With F the content's features, B the bank, d one of the 9 offsets in
a patch, p a place in the content and q one in the bank:

    score(p, q) = ‖patch at q‖⁻¹ · Σ_d F(p + d)·B(q + d)     best(p) = argmax_q score(p, q)
    swapped(p)  = mean over d of B(best(p - d) + d), where p - d is the corner of a patch

The published form convolves with the style's patches as weights and paints with a one-hot map. Here
F(p)·B(q) is one matrix product; the sum over d is one of slices of it, shifted along rows and then
along columns; nine gathers and nine padded additions paint. The same indices, by fixed shapes and
constant weights alone. [Algebra and bytes](../../docs/decisions/0021-patch-matching.md).

A style enters through the bank and the inverse norms of its patches: that pair is the style code,
[N, C·S² + (S - 2)²], S the side of the bank.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Height and width of a patch.
PATCH = 3
BORDER = PATCH - 1
# Largest map of products F(p)·B(q) that is held at once: content rows are matched in chunks.
PRODUCT_BYTES = 2**24
# Added to a norm before it is inverted, as published.
EPS = 1e-8


def code_parts(channels: int, side: int) -> dict[str, tuple[int, ...]]:
    """Return the parts of a style code with their shapes, in order.

    Args:
        channels: number of channels of the features.
        side: height and width of the bank.
    """
    return {"bank": (channels, side, side), "inverse_norms": (side - BORDER, side - BORDER)}


def style_code(bank: Tensor) -> Tensor:
    """Return the style code [N, C·S² + (S - 2)²] of a bank [N, C, S, S]."""
    squares = (bank * bank).sum(1)
    last = bank.shape[2] - BORDER
    rows = squares[:, :last] + squares[:, 1 : last + 1] + squares[:, BORDER:]
    patches = rows[:, :, :last] + rows[:, :, 1 : last + 1] + rows[:, :, BORDER:]
    inverse_norms = 1 / (torch.sqrt(patches) + EPS)
    return torch.cat([bank.flatten(1), inverse_norms.flatten(1)], 1)


def apply(features: Tensor, code: Tensor, strength: Tensor, side: int) -> Tensor:
    """Return the features in a style, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W], H and W 3 or more.
        code: style code, [N, C·S² + (S - 2)²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
        side: height and width of the bank, S.

    Raises:
        ValueError: the features are smaller than a patch, or the code is of another bank.
    """
    channels, height, width = features.shape[1:]
    if height < PATCH or width < PATCH:
        raise ValueError(f"features of {height}x{width} hold no patch of {PATCH}x{PATCH}")
    expected = channels * side**2 + (side - BORDER) ** 2
    if code.shape[1] != expected:
        raise ValueError(
            f"a bank of {side}x{side} with {channels} channels has codes of {expected} values, got "
            f"{code.shape[1]}"
        )
    swapped = torch.cat([_swapped(*pair, side) for pair in zip(features, code, strict=True)])
    return features + strength * (swapped - features)


def nearest(features: Tensor, bank: Tensor, inverse_norms: Tensor) -> Tensor:
    """Return the index of the style patch that each content patch correlates with most, [P].

    Both count their patches row by row; the first of equals is taken.

    Args:
        features: content features, [C, H, W]; P = (H - 2)·(W - 2).
        bank: [C, S, S].
        inverse_norms: [S - 2, S - 2].
    """
    channels, height, width = features.shape
    side = bank.shape[1]
    # The last slice of a chunk ends two places behind the map, in what no patch reads.
    content, style = (
        functional.pad(x.reshape(channels, -1), (0, BORDER)) for x in (features, bank)
    )
    content = content.t()
    found: list[Tensor] = []
    rows = _rows(height, width, side)
    for top in range(0, height - BORDER, rows):
        count = min(rows, height - BORDER - top) * width
        part = content[top * width : top * width + count + BORDER * width + BORDER]
        products = torch.matmul(part, style)
        along = _shifted_sum(products, (1, 1), (count + BORDER * width, side**2))
        sums = _shifted_sum(along, (width, side), (count, (side - BORDER) * side))
        corners = sums.reshape(count, side - BORDER, side)[:, :, : side - BORDER]
        found.append((corners * inverse_norms).flatten(1).argmax(1))
    best = torch.cat(found).reshape(height - BORDER, width)
    return best[:, : width - BORDER].flatten()


def _rows(height: int, width: int, side: int) -> int:
    """Return how many rows of content patches are matched at once, 1 or more."""
    most = PRODUCT_BYTES // (4 * width * side**2) - BORDER
    return min(max(most, 1), height - BORDER)


def _shifted_sum(x: Tensor, step: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """Return the sum of three parts of a matrix, of one shape, each a step from the last."""
    parts = [
        x[row : row + shape[0], column : column + shape[1]]
        for row, column in ((shift * step[0], shift * step[1]) for shift in range(PATCH))
    ]
    return parts[0] + parts[1] + parts[2]


def _swapped(features: Tensor, code: Tensor, side: int) -> Tensor:
    """Return the features [C, H, W] made of patches of a style, [1, C, H, W]."""
    channels, height, width = features.shape
    bank, inverse_norms = code.split([channels * side**2, (side - BORDER) ** 2])
    bank = bank.reshape(channels, side, side)
    best = nearest(features, bank, inverse_norms.reshape(side - BORDER, side - BORDER))
    places = bank.permute(1, 2, 0)
    total: Tensor | None = None
    for row in range(PATCH):
        for column in range(PATCH):
            corners = places[row : row + side - BORDER, column : column + side - BORDER]
            painted = functional.embedding(best, corners.reshape(-1, channels))
            painted = painted.reshape(height - BORDER, width - BORDER, channels)
            pads = (0, 0, column, BORDER - column, row, BORDER - row)
            painted = functional.pad(painted, pads)
            total = painted if total is None else total + painted
    assert total is not None
    shares = _shares(height, features)[:, None, None] * _shares(width, features)[:, None]
    return (total * shares).permute(2, 0, 1)[None]


def _shares(length: int, like: Tensor) -> Tensor:
    """Return one over the number of patches that cover each place of a line, [length]."""
    counts = [min(place + 1, PATCH, length - place, length - BORDER) for place in range(length)]
    return torch.tensor([1 / count for count in counts], dtype=like.dtype, device=like.device)
