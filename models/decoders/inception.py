"""Decoder of ArtNet: GoogLeNet's Inception modules, inverted (An et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from styleexport.models.encoders.googlenet import MODULES, Widths

# Channels of conv3, conv2 and conv1.
STEM = (192, 64, 64)


def conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    """Return a convolution that keeps the size, continued by reflection."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


class InverseInception(nn.Module):
    """Four branches of one input, concatenated: 1x1, and three times 1x1 and 3x3.

    Its input has the channels of an Inception module's output, and its output those of that
    module's input, shared by the branches as the module shares its output.

    Args:
        outputs: number of channels of the module's input.
        widths: widths of the module.
    """

    def __init__(self, outputs: int, widths: Widths) -> None:
        super().__init__()
        one, inside, three, inside_second, second, pooled = widths
        inputs = one + three + second + pooled
        shares = [outputs * width // inputs for width in (three, second, pooled)]
        self.branch1 = conv(inputs, outputs - sum(shares), 1)
        self.reduce = nn.ModuleList(
            conv(inputs, width, 1) for width in (inside, inside_second, pooled)
        )
        self.widen = nn.ModuleList(
            conv(width, share)
            for width, share in zip((inside, inside_second, pooled), shares, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C', H, W] of [N, C, H, W]."""
        branches = [self.branch1(x)]
        for reduce, widen in zip(self.reduce, self.widen, strict=True):
            branches.append(widen(functional.relu(reduce(x))))
        return functional.relu(torch.cat(branches, 1))


class InceptionDecoder(nn.Module):
    """Maps features [N, C, h, w] of GoogLeNet to inception4e to an image [N, 3, 16·h, 16·w].

    Args:
        channels: number of channels of the features, of all levels together.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*self._layers(channels))
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        # Grey at first: colours outside 0..1 teach little.
        nn.init.normal_(last.weight, std=0.01)
        nn.init.constant_(last.bias, 0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Return the image [N, 3, 16·h, 16·w] of features [N, C, h, w]."""
        return self.layers(features)

    @staticmethod
    def _layers(channels: int) -> Iterator[nn.Module]:
        modules: Sequence[tuple[str, Widths | None]] = MODULES[
            : [name for name, _ in MODULES].index("inception4e") + 1
        ]
        inputs = [STEM[0], *(_outputs(widths) for _, widths in modules if widths)]
        yield conv(channels, inputs.pop(), 1)
        yield nn.ReLU()
        for _, widths in reversed(modules):
            yield InverseInception(inputs.pop(), widths) if widths else _doubled()
        yield _doubled()
        for narrow, wide in zip(STEM[1:], STEM, strict=False):
            yield conv(wide, narrow)
            yield nn.ReLU()
        yield _doubled()
        yield conv(STEM[2], STEM[2] // 2)
        yield nn.ReLU()
        yield _doubled()
        yield conv(STEM[2] // 2, 3)


def _outputs(widths: Widths) -> int:
    """Return the number of channels of a module's output."""
    return widths[0] + widths[2] + widths[4] + widths[5]


def _doubled() -> nn.Upsample:
    """Return the inverse of a pooling."""
    return nn.Upsample(scale_factor=2, mode="nearest")
