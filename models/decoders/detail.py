"""Decoders of PCA-KD: blocks that double the size and take in the detail that the encoder lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.encoders._distilled import VGG_COUNTS, reflected


class DetailBlock(nn.Module):
    """relu(last(before(x) + detail)), the size of the detail.

    Args:
        before: layers up to the size of the detail, or one row and column more.
        last: convolution of the sum.
    """

    def __init__(self, before: Sequence[nn.Module], last: nn.Conv2d) -> None:
        super().__init__()
        self.before = nn.Sequential(*before)
        self.last = last

    def forward(self, x: Tensor, detail: Tensor) -> Tensor:
        """Return features [N, C', H, W].

        Args:
            x: features, [N, C, h, w].
            detail: what the encoder's block was given, less its mean, [N, C', H, W].
        """
        return F.relu(self.last(self.sized(x, detail) + detail))

    def sized(self, x: Tensor, detail: Tensor) -> Tensor:
        """Return what the layers before make of features, cropped to the size of the detail."""
        return self.before(x)[:, :, : detail.shape[2], : detail.shape[3]]


class PictureBlock(DetailBlock):
    """last(before(x)) + sharp(detail): a picture, without ReLU.

    The release has one convolution of both, concatenated. Its weights of the detail are near one,
    those of the features below 0.3: as two, each has the range of its own in 8 bits.

    Args:
        before: layers up to the size of the detail, or one row and column more.
        channels: channels of the features.
    """

    def __init__(self, before: Sequence[nn.Module], channels: int) -> None:
        super().__init__(before, reflected(channels, 3))
        self.sharp = reflected(3, 3, bias=False)

    def forward(self, x: Tensor, detail: Tensor) -> Tensor:
        """Return the image [N, 3, H, W] of features [N, C, h, w] and detail [N, 3, H, W]."""
        return self.last(self.sized(x, detail)) + self.sharp(detail)


class DetailDecoder(nn.Module):
    """One block for each of the encoder's, in the encoder's order; the last runs first.

    Args:
        blocks: blocks, the picture's first.
    """

    def __init__(self, blocks: Sequence[DetailBlock]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)


def doubled() -> nn.Module:
    """Return bilinear upsampling by two, pixels as areas."""
    return nn.Upsample(scale_factor=2, mode="bilinear")


def mobilenet(widths: Sequence[int]) -> DetailDecoder:
    """Return the decoder of the MobileNet: each block doubles the size first."""
    blocks: list[DetailBlock] = [PictureBlock([doubled()], widths[0])]
    for outputs, inputs in itertools.pairwise(widths):
        before = [doubled(), reflected(inputs, outputs), nn.ReLU()]
        blocks.append(DetailBlock(before, reflected(outputs, outputs)))
    return DetailDecoder(blocks)


def vgg(widths: Sequence[int]) -> DetailDecoder:
    """Return the decoder of the VGG-19: each block but the picture's doubles the size."""
    blocks: list[DetailBlock] = [PictureBlock([], widths[0])]
    for (outputs, inputs), count in zip(itertools.pairwise(widths), VGG_COUNTS, strict=True):
        before = [reflected(inputs, outputs), nn.ReLU(), doubled()]
        for _ in range(count - 1):
            before += [reflected(outputs, outputs), nn.ReLU()]
        blocks.append(DetailBlock(before, reflected(outputs, outputs)))
    return DetailDecoder(blocks)
