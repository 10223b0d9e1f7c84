"""Decoder that mirrors a VGG encoder: the same convolutions in reverse, upsampling for pooling."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MirrorDecoder(nn.Module):
    """Maps features [N, C, h, w] to an image [N, 3, h·s, w·s], mirroring an encoder's blocks.

    Args:
        blocks: the encoder's output channels, block by block, up to its last convolution.
        last_relu: whether a ReLU follows the last convolution too (Collaborative Distillation).
        last_kernel: height and width of the last convolution's window, odd.
    """

    def __init__(
        self, blocks: Sequence[Sequence[int]], last_relu: bool = False, last_kernel: int = 3
    ) -> None:
        super().__init__()
        flat = [width for block in blocks for width in block]
        inputs = [3, *flat[:-1]]
        starts: set[int] = set()
        total = 0
        for block in blocks[:-1]:
            total += len(block)
            starts.add(total)
        self.layers = nn.Sequential()
        for index in reversed(range(len(flat))):
            kernel = 3 if index else last_kernel
            self.layers.append(
                nn.Conv2d(
                    flat[index], inputs[index], kernel, padding=kernel // 2, padding_mode="reflect"
                )
            )
            if index > 0 or last_relu:
                self.layers.append(nn.ReLU())
            if index in starts:
                self.layers.append(nn.Upsample(scale_factor=2, mode="nearest"))

    def forward(self, features: Tensor) -> Tensor:
        """Return the image [N, 3, h·s, w·s] of features [N, C, h, w]."""
        return self.layers(features)

    def initialise(self) -> None:
        """Draw weights for a training: features keep their size, and the picture is grey."""
        *inner, last = (layer for layer in self.layers if isinstance(layer, nn.Conv2d))
        for layer in inner:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        # Features may be large, and colours outside 0..1 teach little.
        nn.init.normal_(last.weight, std=0.01)
        assert last.bias is not None
        nn.init.constant_(last.bias, 0.5)

    def conv_indices(self) -> tuple[int, ...]:
        """Return the positions of the convolutions in ``layers``."""
        return tuple(i for i, m in enumerate(self.layers) if isinstance(m, nn.Conv2d))
