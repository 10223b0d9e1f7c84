"""VGG encoders: 3x3 convolutions, ReLU and 2x2 pooling, tapped at named ReLUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from styleexport.models.encoders._encoder import EncoderModule, Settings, Tap, set_normalisation

Padding = Literal["zeros", "reflect"]


class VggEncoder(EncoderModule):
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
        self.tap_names = tuple(taps)

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
        set_normalisation(self.normalise)

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


def vgg_taps(blocks: Sequence[Sequence[int]]) -> tuple[Tap, ...]:
    """Return a tap for every ReLU of a VGG."""
    taps: list[Tap] = []
    channels, parameters = 3, 0
    for number, widths in enumerate(blocks):
        for position, width in enumerate(widths, 1):
            parameters += 9 * channels * width + width
            taps.append(Tap(f"relu{number + 1}_{position}", width, 2**number, parameters))
            channels = width
    return tuple(taps)


def vgg_settings(module: nn.Module) -> Settings:
    """Return the padding of a VGG's convolutions, as `build` takes it."""
    assert isinstance(module, VggEncoder)
    first = module.features[0]
    assert isinstance(first, nn.Conv2d)
    return {"padding": first.padding_mode}
