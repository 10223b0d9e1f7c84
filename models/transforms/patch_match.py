"""Patch matching (Chen and Schmidt, Fast Patch-based Style Transfer, 2016): style swap.

Every KxK patch of the content's features is replaced by the style patch that it correlates with
most, and the patches are averaged where they overlap. A *bank* is a square map of style features,
whose patches do not leave it. With F the content's features, B the bank, d one of the K² offsets in
a patch, p a place in the content and q one in the bank:

    score(p, q) = ‖patch at q‖⁻¹ · Σ_d F(p + d)·B(q + d)     best(p) = argmax_q score(p, q)
    swapped(p)  = mean over d of B(best(p - d) + d), where p - d is the corner of a patch

The published form convolves with the style's patches as weights and paints with a one-hot map. Here
F(p)·B(q) is one matrix product; the sum over d is one of slices of it, shifted along rows and then
along columns; K² gathers and K² padded additions paint. The same indices, by fixed shapes and
constant weights alone. [Algebra and bytes](../../docs/decisions/0021-patch-matching.md).

A style enters through the bank and the inverse norms of its patches: that pair is the style code,
[N, C·S² + (S - K + 1)²], S the side of the bank.
"""

from __future__ import annotations

import functools
import operator

import torch
from torch import Tensor
from torch.nn import functional

# Height and width of a patch, as published.
PATCH = 3
# Largest map of products F(p)·B(q) that is held at once: content rows are matched in chunks.
PRODUCT_BYTES = 2**24
# Added to a norm before it is inverted, as published.
EPS = 1e-8


def code_parts(channels: int, side: int, patch: int = PATCH) -> dict[str, tuple[int, ...]]:
    """Return the parts of a style code with their shapes, in order.

    Args:
        channels: number of channels of the features.
        side: height and width of the bank.
        patch: height and width of a patch.
    """
    count = side - patch + 1
    return {"bank": (channels, side, side), "inverse_norms": (count, count)}


def style_code(bank: Tensor, patch: int = PATCH) -> Tensor:
    """Return the style code [N, C·S² + (S - K + 1)²] of a bank [N, C, S, S]."""
    return torch.cat([bank.flatten(1), inverse_norms(bank, patch).flatten(1)], 1)


def inverse_norms(bank: Tensor, patch: int) -> Tensor:
    """Return one over the norm of every patch of a bank [N, C, S, S], [N, S - K + 1, S - K + 1]."""
    squares = (bank * bank).sum(1)
    count = bank.shape[2] - patch + 1
    rows = functools.reduce(operator.add, [squares[:, i : i + count] for i in range(patch)])
    parts = [rows[:, :, i : i + count] for i in range(patch)]
    patches = functools.reduce(operator.add, parts)
    return 1 / (torch.sqrt(patches) + EPS)


def apply(
    features: Tensor, code: Tensor, strength: Tensor, side: int, patch: int = PATCH
) -> Tensor:
    """Return the features in a style, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W], H and W a patch or more.
        code: style code, [N, C·S² + (S - K + 1)²].
        strength: α in 0..1, [1]; 0 returns the features unchanged.
        side: height and width of the bank, S.
        patch: height and width of a patch, K.

    Raises:
        ValueError: the features are smaller than a patch, or the code is of another bank.
    """
    channels, height, width = features.shape[1:]
    if height < patch or width < patch:
        raise ValueError(f"features of {height}x{width} hold no patch of {patch}x{patch}")
    count = side - patch + 1
    expected = channels * side**2 + count**2
    if code.shape[1] != expected:
        raise ValueError(
            f"a bank of {side}x{side} with {channels} channels has codes of {expected} values, got "
            f"{code.shape[1]}"
        )
    bank, norms = code.split([channels * side**2, count**2], 1)
    bank = bank.reshape(-1, channels, side, side)
    swapped = swap(features, bank, norms.reshape(-1, count, count), patch)
    return features + strength * (swapped - features)


def swap(features: Tensor, bank: Tensor, norms: Tensor, patch: int = PATCH) -> Tensor:
    """Return the features made of patches of a bank each, [N, C, H, W].

    Args:
        features: content features, [N, C, H, W], H and W a patch or more.
        bank: maps of style features, [N, C, S, S].
        norms: inverse norms of their patches, [N, S - K + 1, S - K + 1].
        patch: height and width of a patch, K.
    """
    return torch.cat([_swap(*one, patch) for one in zip(features, bank, norms, strict=True)])


def nearest(features: Tensor, bank: Tensor, norms: Tensor, patch: int = PATCH) -> Tensor:
    """Return the index of the style patch that each content patch correlates with most, [P].

    Both count their patches row by row; the first of equals is taken.

    Args:
        features: content features, [C, H, W]; P = (H - K + 1)·(W - K + 1).
        bank: [C, S, S].
        norms: inverse norms, [S - K + 1, S - K + 1].
        patch: height and width of a patch, K.
    """
    channels, height, width = features.shape
    side, border = bank.shape[1], patch - 1
    # The last slice of a chunk ends K - 1 places behind the map, in what no patch reads.
    content, style = (
        functional.pad(x.reshape(channels, -1), (0, border)) for x in (features, bank)
    )
    content = content.t()
    found: list[Tensor] = []
    rows = _rows(height - border, width, side, border)
    for top in range(0, height - border, rows):
        count = min(rows, height - border - top) * width
        part = content[top * width : top * width + count + border * width + border]
        products = torch.matmul(part, style)
        along = _shifted_sum(products, (1, 1), (count + border * width, side**2), patch)
        sums = _shifted_sum(along, (width, side), (count, (side - border) * side), patch)
        corners = sums.reshape(count, side - border, side)[:, :, : side - border]
        found.append((corners * norms).flatten(1).argmax(1))
    best = torch.cat(found).reshape(height - border, width)
    return best[:, : width - border].flatten()


def _rows(count: int, width: int, side: int, border: int) -> int:
    """Return how many of the rows of content patches are matched at once, 1 or more."""
    most = PRODUCT_BYTES // (4 * width * side**2) - border
    return min(max(most, 1), count)


def _shifted_sum(x: Tensor, step: tuple[int, int], shape: tuple[int, int], patch: int) -> Tensor:
    """Return the sum of K parts of a matrix, of one shape, each a step from the last."""
    parts = [
        x[row : row + shape[0], column : column + shape[1]]
        for row, column in ((shift * step[0], shift * step[1]) for shift in range(patch))
    ]
    return functools.reduce(operator.add, parts)


def _swap(features: Tensor, bank: Tensor, norms: Tensor, patch: int) -> Tensor:
    """Return the features [1, C, H, W] made of patches of a bank, of one picture each."""
    channels, height, width = features.shape
    count, border = norms.shape[0], patch - 1
    best = nearest(features, bank, norms, patch)
    places = bank.permute(1, 2, 0)
    total: Tensor | None = None
    for row in range(patch):
        for column in range(patch):
            corners = places[row : row + count, column : column + count]
            painted = functional.embedding(best, corners.reshape(-1, channels))
            painted = painted.reshape(height - border, width - border, channels)
            pads = (0, 0, column, border - column, row, border - row)
            painted = functional.pad(painted, pads)
            total = painted if total is None else total + painted
    assert total is not None
    shares = (
        _shares(height, patch, features)[:, None, None] * _shares(width, patch, features)[:, None]
    )
    return (total * shares).permute(2, 0, 1)[None]


def _shares(length: int, patch: int, like: Tensor) -> Tensor:
    """Return one over the number of patches that cover each place of a line, [length]."""
    border = patch - 1
    counts = [min(place + 1, patch, length - place, length - border) for place in range(length)]
    return torch.tensor([1 / count for count in counts], dtype=like.dtype, device=like.device)
