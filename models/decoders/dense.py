"""Decoders that mirror DenseNet: transposed convolutions for its pools, 3x3 ones for its layers.

The "simpler decoder" of a report on DenseNet for AdaIN (2022) has one convolution for each dense
layer of the encoder, which to transition3 makes 124 M parameters. The decoder that ships has one
for two layers.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

STEM = 64


class DenseMirrorDecoder(nn.Module):
    """Maps features [N, C, h, w] to an image [N, 3, h·s, w·s] in 0..1, mirroring DenseNet's blocks.

    Args:
        blocks: number of dense layers of each block of the encoder.
        growth: channels that each of them adds.
        layers: ``single`` for a convolution for each dense layer, as published, ``paired`` for one
            for two.
    """

    def __init__(self, blocks: Sequence[int], growth: int, layers: str = "paired") -> None:
        super().__init__()
        step = growth * (2 if layers == "paired" else 1)
        widths = [STEM]
        for count in blocks:
            widths.append((widths[-1] + count * growth) // 2)
        self.layers = nn.Sequential()
        for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self._up(wide, 2 * wide)
            for width in range(2 * wide, narrow, -step):
                self.layers.append(nn.Conv2d(width, width - step, 3, padding=1, bias=False))
                self.layers.append(nn.ReLU())
        self._up(STEM, STEM)
        last = nn.ConvTranspose2d(STEM, 3, 7, 2, padding=3, output_padding=1, bias=False)
        self.layers.append(last)
        self.layers.append(nn.Sigmoid())
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def _up(self, inputs: int, outputs: int) -> None:
        """Add a transposed convolution that doubles the size, and its ReLU."""
        self.layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1))
        self.layers.append(nn.ReLU())

    def forward(self, features: Tensor) -> Tensor:
        """Return the image of features."""
        return self.layers(features)
