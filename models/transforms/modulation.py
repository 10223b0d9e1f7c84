"""Filter modulation (MicroAST, Wang et al., AAAI 2023): a style scales and shifts filters.

Every filter's output becomes w·conv(x) + b·x, with one weight w and one bias b a channel. Each is
the mean over a style's features of a depthwise convolution of them: since both are linear, a weight
depends on the style through the means of its features and of their shifts by one pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def modulated(filtered: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return w·conv(x) + b·x, [N, C, H, W].

    Args:
        filtered: conv(x), [N, C, H, W].
        x: what the convolution read, [N, C, H, W].
        weight: w, [N, C, 1, 1].
        bias: b, [N, C, 1, 1].
    """
    return weight * filtered + bias * x


def modulation(features: Tensor, filters: Sequence[nn.Module]) -> list[Tensor]:
    """Return the mean [N, C] of each filter's output for style features [N, C, h, w]."""
    return [layer(features).mean((2, 3)) for layer in filters]
