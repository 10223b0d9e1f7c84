"""Decoder of Avatar-Net: AdaIN with the style's levels on the way up (Sheng et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.transforms import adain

# Deviation below which a channel is empty; ε alone gives 0.003.
EMPTY = 0.01


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

    def adapt(self, features: Tensor, levels: Sequence[Tensor]) -> None:
        """Let layers that were trained without AdaIN expect it, in place.

        The convolution behind an AdaIN reads σ'·(x - μ)/σ + μ' where it read x, with (μ', σ') of
        the encoder's level. It takes weights and bias that undo this for the means over pictures. A
        channel that the encoder leaves empty is taken at its mean.

        Args:
            features: [N, C, h, w] of some pictures.
            levels: features of the same pictures at each level, [N, C', h', w'], the deepest first.
        """
        level = dict(zip(self.starts, levels, strict=True))
        for place, layer in enumerate(self.layers):
            x, features = features, layer(features)
            if place not in level:
                continue
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            (mean, deviation), (new_mean, new_deviation) = map(_of_batch, (x, level[place]))
            scale = torch.where(new_deviation > EMPTY, deviation / new_deviation, 0)
            layer.bias += torch.einsum("oihw,i->o", layer.weight, mean - scale * new_mean)
            layer.weight *= scale[:, None, None]


def _of_batch(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means over pictures of channel means and deviations, [C] each."""
    mean, deviation, _ = adain.statistics(features, unbiased=False)
    return mean.mean((0, 2, 3)), deviation.mean((0, 2, 3))
