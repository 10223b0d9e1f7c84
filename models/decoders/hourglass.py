"""Decoder of Avatar-Net: AdaIN with the style's levels on the way up (Sheng et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.transforms import adain


class HourglassDecoder(MirrorDecoder):
    """Maps features [N, C, h, w] and statistics of a style to an image [N, 3, h·s, w·s].

    In front of the convolution that mirrors the first one of a block, features take the statistics
    that the style has behind that one, relu n_1: of all blocks but the deepest. Its last window is
    7x7.

    Args:
        blocks: the encoder's output channels, block by block, up to its last convolution.
    """

    def __init__(self, blocks: Sequence[Sequence[int]]) -> None:
        super().__init__(blocks, last_kernel=7)
        # Places of the mirrors of the first convolutions, the deepest block's first.
        self.starts: tuple[int, ...] = ()
        count, convs = 0, self.conv_indices()[::-1]
        for block in blocks[:-1]:
            self.starts = (convs[count], *self.starts)
            count += len(block)

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Number of channels of each level's features, the deepest first."""
        layers = [self.layers[place] for place in self.starts]
        return tuple(layer.in_channels for layer in layers if isinstance(layer, nn.Conv2d))

    def forward(self, features: Tensor, codes: Sequence[Tensor]) -> Tensor:  # pyright: ignore
        """Return the image [N, 3, h·s, w·s].

        Args:
            features: [N, C, h, w].
            codes: channel means and deviations of the style's features, [N, 2C'] per level, the
                deepest first.
        """
        level = dict(zip(self.starts, codes, strict=True))
        for place, layer in enumerate(self.layers):
            if place in level:
                features = adain.normalise_to(features, level[place])
            features = layer(features)
        return features
