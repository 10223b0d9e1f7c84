"""The quality figures of the compression benchmark, over all pairs of two sets of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from compression_report import Quality
from torch import Tensor
from torch.nn import functional

from styleexport.core.perceptual import LossNetwork, Lpips, ScaledStyle, gains_beyond_colour
from styleexport.core.psnr import pooled_psnr
from styleexport.models.losses.loss_network import read_lpips, vgg16_loss_network
from styleexport.runtime_bench.quality.fidelity import ssim

# (content, style), [1, 3, H, W] each in 0..1 → painting
Painter = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Scales:
    """What quality is measured with.

    Attributes:
        features: in which style is measured.
        lpips: distance to the content.
    """

    features: LossNetwork
    lpips: Lpips


def read_scales(backbone: Path, heads: Path) -> Scales:
    """Return VGG-16 and LPIPS from their files.

    Raises:
        BadCheckpoint: a file is of another network.
    """
    return Scales(vgg16_loss_network(backbone), read_lpips(backbone, heads))


def edges(image: Tensor) -> Tensor:
    """Return the length of Sobel's gradient of pictures [N, 3, H, W] in 0..1, three alike."""
    luma = (image * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
    kernels = torch.stack([across, across.T])[:, None]
    gradient = functional.conv2d(functional.pad(luma, (1, 1, 1, 1), "replicate"), kernels)
    return gradient.square().sum(1, keepdim=True).sqrt().clamp(0, 1).expand(-1, 3, -1, -1)


def painted(painter: Painter, contents: Tensor, styles: Tensor) -> list[Tensor]:
    """Return every content [A, 3, H, W] in every style [B, 3, H, W], content by content."""
    pictures = [one[None] for one in styles]
    return [painter(one[None], picture) for one in contents for picture in pictures]


def judged(
    outputs: Sequence[Tensor],
    originals: Sequence[Tensor],
    contents: Tensor,
    styles: Tensor,
    scales: Scales,
) -> Quality:
    """Return the means over every content in every style.

    Args:
        outputs: of `painted`.
        originals: what the original paints, in the same order.
        contents: [A, 3, H, W] in 0..1.
        styles: [B, 3, H, W] in 0..1.
        scales: style distance and LPIPS.
    """
    style, gains, perceptual, kept, errors = [], [], [], [], []
    targets = [ScaledStyle.of(one[None], scales.features) for one in styles]
    pairs = iter(zip(outputs, originals, strict=True))
    for content in (one[None] for one in contents):
        described, outlines = scales.lpips.describe(content), edges(content)
        for target, (output, original) in zip(targets, pairs, strict=False):
            distances = target.distances(output)
            style.append(distances[0])
            gains.append(gains_beyond_colour(distances, target.colour_distances(content)))
            features = scales.lpips.describe(output)
            perceptual.append(float(scales.lpips.distance(described, features)))
            kept.append(ssim(edges(output).numpy(), outlines.numpy()))
            errors.append(float((output - original).square().mean()))
    count = len(style)
    return Quality(
        pairs=count,
        style_distance=sum(style) / count,
        lpips=sum(perceptual) / count,
        edge_ssim=sum(kept) / count,
        psnr_db=pooled_psnr(errors) if any(errors) else None,
        gains=tuple(sum(column) / count for column in zip(*gains, strict=True)),
    )
