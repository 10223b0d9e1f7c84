"""Style distance and LPIPS of a two-image network over all pairs of two folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styleexport.models.checkpoint import read_tensors
from styleexport.models.encoders import vgg16
from styleexport.models.encoders._backbone import load_backbone
from styleexport.models.training.losses import (
    STYLE_TAPS,
    style_distance,
    style_statistics,
)

LPIPS_TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


class Lpips:
    """Learned perceptual image patch similarity with VGG-16 (Zhang et al., CVPR 2018, equation 1).

    Args:
        backbone: ImageNet VGG-16 weights.
        heads: the linear heads, ``lin0`` to ``lin4`` (or the release's ``lin0.model.1.weight``).
    """

    def __init__(self, backbone: Path, heads: Path) -> None:
        self.features = (
            load_backbone(vgg16.build(LPIPS_TAPS), backbone).requires_grad_(False).eval()
        )
        # LPIPS scales -1..1 by its own shift and scale, which are ImageNet's mean and deviation.
        tensors = read_tensors(heads)
        self.heads = [
            next(v for k, v in tensors.items() if k.split(".")[0] == f"lin{i}").reshape(1, -1, 1, 1)
            for i in range(len(LPIPS_TAPS))
        ]

    @torch.inference_mode()
    def describe(self, image: Tensor) -> list[Tensor]:
        """Return the unit-length features of [N, 3, H, W] RGB in 0..1."""
        return [f / (f.norm(dim=1, keepdim=True) + 1e-10) for f in self.features(image)]

    @torch.inference_mode()
    def distance(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """Return the distance of two described batches, [N]."""
        terms = [
            ((x - y) ** 2 * head).sum(1).mean((1, 2))
            for x, y, head in zip(a, b, self.heads, strict=True)
        ]
        return torch.stack(terms).sum(0)


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
    features = load_backbone(vgg16.build(STYLE_TAPS), backbone).eval()
    lpips = Lpips(backbone, heads) if heads is not None else None
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
