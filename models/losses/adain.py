"""AdaIN objective in the features of a loss network that is not the network's own encoder.

Content (Huang and Belongie 2017, equation 12): the output's deepest features against AdaIN of the
content's. Style (equation 13): mean and standard deviation of the output's features against the
style's, layer by layer. Both are relative, ‖a - b‖₂ / ‖b‖₂, so that no layer or channel count
outweighs another and the weights mean the same for every loss network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styleexport.core.perceptual import relative_distance, style_statistics
from styleexport.models.encoders._encoder import find_encoder
from styleexport.models.encoders._vgg import VggEncoder

STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_LEVELS = 2


def loss_network(path: Path, name: str = "vgg16") -> VggEncoder:
    """Return a VGG with taps at relu1_1 to relu4_1, frozen, from ImageNet weights at ``path``.

    Args:
        path: weights file.
        name: name of the encoder, ``vgg16`` or ``vgg19``.

    Raises:
        BadCheckpoint: the file is of another network.
    """
    network = find_encoder(name).read(path, STYLE_TAPS)
    assert isinstance(network, VggEncoder)
    return network.requires_grad_(False).eval()


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; all terms are of order one.

    Attributes:
        content: weight of the content distance (equation 12).
        style: weight of the style distance (equation 13).
        identity: weight of the error of a picture painted in its own style.
        variation: weight of the total variation.
    """

    content: float = 1.0
    style: float = 1.0
    identity: float = 1.0
    variation: float = 0.0


def content_target(features: Tensor, own: Tensor, style: Tensor) -> Tensor:
    """Return AdaIN of features, [N, C, h, w] (Huang and Belongie 2017, equation 8).

    Args:
        features: [N, C, h, w].
        own: channel means and deviations of the features, [N, 2C].
        style: channel means and deviations of the style's features, [N, 2C].
    """
    channels = features.shape[1]
    shape = (-1, channels, 1, 1)
    mean, deviation = own[:, :channels].reshape(shape), own[:, channels:].reshape(shape)
    style_mean, style_deviation = (
        style[:, :channels].reshape(shape),
        style[:, channels:].reshape(shape),
    )
    return (features - mean) / deviation * style_deviation + style_mean


def content_distance(features: Sequence[Tensor], content: Tensor, style: Tensor) -> Tensor:
    """Return the distance [N] of the output's deepest features to AdaIN of the content's.

    Args:
        features: features of the output, one [N, C, h, w] per level.
        content: features of the content, the same levels flattened and joined, [N, ΣC·h·w].
        style: statistics of the style, [N, 2·ΣC] of all levels, the deepest last.
    """
    widths = [level.shape[1] for level in features]
    rows = content.float().split([level[0].numel() for level in features], 1)
    styles = style[:, -2 * sum(widths) :].split([2 * width for width in widths], 1)
    distances: list[Tensor] = []
    for level, row, code in zip(features, rows, styles, strict=True):
        reference = row.reshape(level.shape)
        target = content_target(reference, style_statistics([reference]), code)
        distances.append(relative_distance(level.float(), target))
    return torch.stack(distances).mean(0)


def total_variation(image: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels, for images [N, C, H, W]."""
    return (image[..., 1:, :] - image[..., :-1, :]).abs().mean() + (
        image[..., :, 1:] - image[..., :, :-1]
    ).abs().mean()
