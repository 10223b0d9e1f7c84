"""Encoder of adain-lite: strided 3x3 convolutions down to 1/8, four levels of features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 32, 64, 128)


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 reflection-padded convolution, initialised for a ReLU behind it."""
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, padding_mode="reflect")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class LiteEncoder(nn.Module):
    """Maps [N, 3, H, W] RGB in 0..1 to features at 1/1, 1/2, 1/4 and 1/8 of the size.

    Features are taken before the ReLU, so that their mean and deviation describe how often each
    channel fires as well as how strongly.
    """

    level_names: tuple[str, ...] = ("full", "half", "quarter", "eighth")

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.stem = conv(3, widths[0])
        self.down = nn.ModuleList(conv(a, b, stride=2) for a, b in itertools.pairwise(widths))
        self.deep = conv(widths[-1], widths[-1])

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of channels of the features of each level."""
        inner = [layer.out_channels for layer in self.down if isinstance(layer, nn.Conv2d)]
        return (self.stem.out_channels, *inner[:-1], self.deep.out_channels)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the features of every level, full size first, one [N, C, H/s, W/s] each."""
        levels = [self.stem(image * 2.0 - 1.0)]
        for layer in self.down:
            levels.append(layer(F.relu(levels[-1])))
        levels[-1] = self.deep(F.relu(levels[-1]))
        return tuple(levels)

    def deepest(self, features: Sequence[Tensor]) -> Tensor:
        """Return the features at 1/8 that a decoder starts from."""
        return features[-1]
