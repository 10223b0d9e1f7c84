"""VGG encoders: 3x3 convolutions, ReLU and 2x2 pooling, tapped at named ReLUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Padding = Literal["zeros", "reflect"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VggEncoder(nn.Module):
    """A VGG feature extractor: a normalising 1x1 convolution, then ``features`` as torchvision has.

    Args:
        blocks: output channels of the convolutions of each block; a 2x2 pooling follows each block
            but the last.
        taps: names of the ReLUs to return, such as ``relu4_1``. Nothing is computed past the last.
        padding: ``zeros`` as the ImageNet networks were trained, ``reflect`` as AdaIN uses them
            (no dark border, and a pointwise map in front folds into the first convolution).

    ``forward`` maps [N, 3, H, W] RGB in 0..1 to one [N, C, ceil(H/s), ceil(W/s)] tensor per tap.

    Raises:
        ValueError: there is no such tap.
    """

    def __init__(
        self, blocks: Sequence[Sequence[int]], taps: Sequence[str], padding: Padding
    ) -> None:
        super().__init__()
        self.normalise = nn.Conv2d(3, 3, 1)
        self.features = nn.Sequential()
        self.taps: tuple[int, ...]
        self.set_imagenet_normalisation()
        at: dict[str, int] = {}
        remaining, channels = set(taps), 3
        for number, widths in enumerate(blocks, start=1):
            for position, width in enumerate(widths, start=1):
                conv = nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding)
                self.features.append(conv)
                at[f"relu{number}_{position}"] = len(self.features)
                self.features.append(nn.ReLU())
                channels = width
                remaining.discard(f"relu{number}_{position}")
                if not remaining:
                    break
            if not remaining:
                break
            self.features.append(nn.MaxPool2d(2, ceil_mode=True))
        if remaining:
            raise ValueError(f"no such tap: {sorted(remaining)}; this network has {sorted(at)}")
        self.taps = tuple(at[name] for name in taps)

    @property
    def blocks(self) -> list[list[int]]:
        """Output channels of the convolutions of each block."""
        blocks: list[list[int]] = [[]]
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                blocks[-1].append(layer.out_channels)
            elif isinstance(layer, nn.MaxPool2d):
                blocks.append([])
        return blocks

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of channels of the features at each tap."""
        convs = {i: m.out_channels for i, m in enumerate(self.features) if isinstance(m, nn.Conv2d)}
        return tuple(convs[tap - 1] for tap in self.taps)

    def set_imagenet_normalisation(self) -> None:
        """Set the 1x1 convolution to (x - mean) / std with ImageNet's statistics."""
        std = torch.tensor(IMAGENET_STD)
        with torch.no_grad():
            self.normalise.weight.copy_(torch.diag(1 / std).reshape(3, 3, 1, 1))
            assert self.normalise.bias is not None
            self.normalise.bias.copy_(-torch.tensor(IMAGENET_MEAN) / std)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the features at each tap, in the order of ``taps``."""
        features: dict[int, Tensor] = {}
        x = self.normalise(image)
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                features[index] = x
        return tuple(features[tap] for tap in self.taps)

    def conv_indices(self) -> tuple[int, ...]:
        """Return the positions of the convolutions in ``features``."""
        return tuple(i for i, m in enumerate(self.features) if isinstance(m, nn.Conv2d))
