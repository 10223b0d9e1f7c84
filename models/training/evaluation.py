"""Evaluation of a two-image network: style distance and LPIPS over all content-style pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styleexport.core.perceptual import style_distance, style_statistics
from styleexport.models.losses.loss_network import read_lpips, vgg16_loss_network


@dataclass(frozen=True)
class Evaluation:
    """Means over all content × style pairs.

    Attributes:
        pairs: number of pairs.
        style_distance: mean of ‖s(output) - s(style)‖₂ / ‖s(style)‖₂ over relu1_1..relu4_1 of
            VGG-16, with s the channel means and the channel deviations.
        unstyled_distance: the same of the photographs themselves.
        lpips: LPIPS (VGG-16) of the output to the content; None without the heads.
        size: side of the pictures in pixels.
    """

    pairs: int
    style_distance: float
    unstyled_distance: float
    lpips: float | None
    size: int


@torch.inference_mode()
def evaluate(
    stylize: Callable[[Tensor, Tensor], Tensor],
    contents: Tensor,
    styles: Tensor,
    backbone: Path,
    heads: Path | None,
) -> tuple[Evaluation, Tensor]:
    """Return the means over all pairs, and the outputs [A, B, 3, H, W] in 0..1.

    Args:
        stylize: maps content and style, [N, 3, H, W] in 0..1, to an image [N, 3, H, W].
        contents: [A, 3, H, W] in 0..1.
        styles: [B, 3, H, W] in 0..1.
        backbone: ImageNet VGG-16 weights.
        heads: weights of the LPIPS heads; None to omit LPIPS.

    Raises:
        BadCheckpoint: a weights file is of another network.
    """
    features = vgg16_loss_network(backbone)
    lpips = read_lpips(backbone, heads) if heads is not None else None
    targets = torch.cat([style_statistics(features(s[None])) for s in styles])
    distances, unstyled, perceptual, pictures = [], [], [], []
    for content in contents:
        image = content[None]
        own = style_statistics(features(image)).expand(len(styles), -1)
        unstyled.append(style_distance(own, targets, features.widths))
        reference = lpips.describe(image) if lpips else None
        row: list[Tensor] = []
        for style, target in zip(styles, targets, strict=True):
            output = stylize(image, style[None]).clamp(0, 1)
            row.append(output[0])
            measured = style_statistics(features(output))
            distances.append(style_distance(measured, target[None], features.widths))
            if lpips and reference:
                perceptual.append(lpips.distance(reference, lpips.describe(output)))
        pictures.append(torch.stack(row))
    return (
        Evaluation(
            pairs=len(contents) * len(styles),
            style_distance=float(torch.cat(distances).mean()),
            unstyled_distance=float(torch.cat(unstyled).mean()),
            lpips=float(torch.cat(perceptual).mean()) if perceptual else None,
            size=int(contents.shape[-1]),
        ),
        torch.stack(pictures),
    )
