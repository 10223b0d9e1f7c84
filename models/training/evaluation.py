"""Style distance and LPIPS of a two-image network over all pairs of two folders."""

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
        pairs: how many.
        style_distance: mean over relu1_1..relu4_1 of VGG-16, over mean and deviation, of
            ‖s(output) - s(style)‖₂ / ‖s(style)‖₂.
        unstyled_distance: the same for the photographs themselves.
        lpips: LPIPS (VGG-16) of the output to the content; None without the heads.
        size: side in pixels.
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
    """Return the figures over all pairs, and the outputs [contents, styles, 3, H, W].

    Args:
        stylize: (content, style), both [N, 3, H, W] in 0..1 → image [N, 3, H, W].
        contents: [A, 3, H, W].
        styles: [B, 3, H, W].
        backbone: ImageNet VGG-16 weights.
        heads: LPIPS heads, or None to leave LPIPS out.
    """
    features = vgg16_loss_network(backbone)
    lpips = read_lpips(backbone, heads) if heads is not None else None
    targets = torch.cat([style_statistics(features(s[None])) for s in styles])
    distances, unstyled, perceptual, pictures = [], [], [], []
    for content in contents:
        image = content[None]
        own = style_statistics(features(image)).expand(len(styles), -1)
        unstyled.append(style_distance(own, targets, features.widths))
        described = lpips.describe(image) if lpips else None
        row: list[Tensor] = []
        for style, target in zip(styles, targets, strict=True):
            output = stylize(image, style[None]).clamp(0, 1)
            row.append(output[0])
            measured = style_statistics(features(output))
            distances.append(style_distance(measured, target[None], features.widths))
            if lpips and described:
                perceptual.append(lpips.distance(described, lpips.describe(output)))
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
