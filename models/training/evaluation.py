"""Evaluation of a two-image network on content-style pairs.

Style distance, gain beyond colour at three scales, and LPIPS to the content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from styleexport.core.perceptual import (
    LossNetwork,
    Lpips,
    ScaledStyle,
    gains_beyond_colour,
    style_distance,
    style_statistics,
)
from styleexport.models.losses.loss_network import read_lpips, vgg16_loss_network

Stylize = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class GainBeyondColour:
    """Gain beyond colour of paintings at one scale; see `core.perceptual`.

    Attributes:
        size: side in pixels at which paintings and styles were compared.
        mean: mean gain over the pairs; a colour filter has 0 or less.
        positive: share of the pairs with a gain above 0.
    """

    size: int
    mean: float
    positive: float


@dataclass(frozen=True)
class Evaluation:
    """Means over content-style pairs.

    Attributes:
        pairs: number of pairs.
        style_distance: mean of ‖s(output) - s(style)‖₂ / ‖s(style)‖₂ over relu1_1..relu4_1 of
            VGG-16, with s the channel means and the channel deviations.
        unstyled_distance: the same of the photographs themselves.
        lpips: LPIPS (VGG-16) of the output to the content; None without the heads.
        size: side of the pictures in pixels.
        gain_beyond_colour: gain at full size, 1/2 and 1/4.
        positive_at_all: share of the pairs with a gain above 0 at every scale.
    """

    pairs: int
    style_distance: float
    unstyled_distance: float
    lpips: float | None
    size: int
    gain_beyond_colour: tuple[GainBeyondColour, ...] = ()
    positive_at_all: float = 0.0


@dataclass(frozen=True)
class _Pair:
    """Figures of one pair.

    Attributes:
        distance: style distance of the painting.
        unstyled: style distance of the photograph.
        gains: gain beyond colour at each scale.
        lpips: LPIPS of the painting to the photograph; None without the heads.
    """

    distance: float
    unstyled: float
    gains: tuple[float, ...]
    lpips: float | None


def chosen_pairs(contents: int, styles: int, most: int | None = None) -> list[tuple[int, int]]:
    """Return pairs of indices, content and style: all, or at most ``most`` of them.

    Fewer pairs still use as many contents and styles as they can: the diagonals of the table are
    taken one after the other.
    """
    diagonals = [
        (row, (row + shift) % styles) for shift in range(styles) for row in range(contents)
    ]
    return sorted(diagonals[:most])


def gains_of(
    gains: Sequence[Sequence[float]], scales: Sequence[int], size: int
) -> tuple[GainBeyondColour, ...]:
    """Return the summary of gains, one row of scales per pair, for paintings of a size."""
    return tuple(
        GainBeyondColour(
            size=size // scale,
            mean=sum(column) / len(column),
            positive=sum(gain > 0 for gain in column) / len(column),
        )
        for scale, column in zip(scales, zip(*gains, strict=True), strict=True)
    )


@torch.inference_mode()
def evaluate(
    stylize: Stylize,
    contents: Tensor,
    styles: Tensor,
    backbone: Path,
    heads: Path | None,
    pairs: int | None = None,
) -> tuple[Evaluation, Tensor]:
    """Return the means over the pairs, and the outputs [A, B, 3, H, W] in 0..1; others are white.

    Args:
        stylize: maps content and style, [N, 3, H, W] in 0..1, to an image [N, 3, H, W].
        contents: [A, 3, H, W] in 0..1.
        styles: [B, 3, H, W] in 0..1.
        backbone: ImageNet VGG-16 weights.
        heads: weights of the LPIPS heads; None to omit LPIPS.
        pairs: number of pairs, see `chosen_pairs`; None for all.

    Raises:
        BadCheckpoint: a weights file is of another network.
    """
    judge = _Judge(
        vgg16_loss_network(backbone), read_lpips(backbone, heads) if heads is not None else None
    )
    chosen = chosen_pairs(len(contents), len(styles), pairs)
    targets = {column: judge.style(styles[column : column + 1]) for _, column in chosen}
    outputs = contents.new_ones(len(contents), len(styles), *contents.shape[1:])
    rows: list[_Pair] = []
    for row, group in groupby(chosen, key=lambda pair: pair[0]):
        content = contents[row : row + 1]
        photograph = judge.photograph(content)
        for _, column in group:
            output = stylize(content, styles[column : column + 1]).clamp(0, 1)
            outputs[row, column] = output[0]
            rows.append(judge(photograph, targets[column], output))
    scales = next(iter(targets.values())).scales
    return _means(rows, scales, int(contents.shape[-1])), outputs


def _means(rows: Sequence[_Pair], scales: Sequence[int], size: int) -> Evaluation:
    """Return the means over pairs of pictures of a size, gains at each of the scales."""
    count = len(rows)
    perceptual = [row.lpips for row in rows if row.lpips is not None]
    return Evaluation(
        pairs=count,
        style_distance=sum(row.distance for row in rows) / count,
        unstyled_distance=sum(row.unstyled for row in rows) / count,
        lpips=sum(perceptual) / count if perceptual else None,
        size=size,
        gain_beyond_colour=gains_of([row.gains for row in rows], scales, size),
        positive_at_all=sum(min(row.gains) > 0 for row in rows) / count,
    )


@dataclass(frozen=True)
class _Photograph:
    """A photograph with its features.

    Attributes:
        image: [1, 3, H, W] in 0..1.
        statistics: style statistics at full size.
        described: LPIPS features; None without the heads.
    """

    image: Tensor
    statistics: Tensor
    described: Sequence[Tensor] | None


@dataclass(frozen=True)
class _Judge:
    """Loss network and LPIPS metric of an evaluation."""

    features: LossNetwork
    lpips: Lpips | None

    def style(self, image: Tensor) -> ScaledStyle:
        return ScaledStyle.of(image, self.features)

    def photograph(self, image: Tensor) -> _Photograph:
        described = None if self.lpips is None else self.lpips.describe(image)
        return _Photograph(image, style_statistics(self.features(image)), described)

    def __call__(self, photograph: _Photograph, style: ScaledStyle, output: Tensor) -> _Pair:
        """Return the figures of one painting."""
        lpips, described = self.lpips, photograph.described
        distances = style.distances(output)
        own = style_distance(photograph.statistics, style.statistics[0], self.features.widths)
        return _Pair(
            distance=distances[0],
            unstyled=float(own),
            gains=gains_beyond_colour(distances, style.colour_distances(photograph.image)),
            lpips=None
            if lpips is None or described is None
            else float(lpips.distance(described, lpips.describe(output))),
        )
