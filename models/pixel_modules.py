"""Conversion between pictures, RGB in 0..1, and a network's own pixel format.

The operations are ones that every target can express.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from styleexport.models.pixels import PixelFormat

# Luma of ITU-R BT.601, by which Pillow converts pictures to grey.
LUMA = (0.299, 0.587, 0.114)


class _Affine(nn.Module):
    """Gain and offset of each channel, as buffers where the channels differ."""

    gains: Tensor
    offsets: Tensor

    def __init__(self, gains: Sequence[float], offsets: Sequence[float]) -> None:
        super().__init__()
        self.gain, self.offset = gains[0], offsets[0]
        self.per_channel = len(set(gains)) > 1 or len(set(offsets)) > 1
        if self.per_channel:
            shape = (1, len(gains), 1, 1)
            self.register_buffer("gains", torch.tensor(gains).reshape(shape), persistent=False)
            self.register_buffer("offsets", torch.tensor(offsets).reshape(shape), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the image times the gain, plus the offset."""
        if self.per_channel:
            return image * self.gains + self.offsets
        if (self.gain, self.offset) == (1.0, 0.0):
            return image
        return image * self.gain + self.offset

    def inverse(self, image: Tensor) -> Tensor:
        """Return the image from which `forward` makes this one."""
        if self.per_channel:
            return (image - self.offsets) * (1.0 / self.gains)
        if (self.gain, self.offset) == (1.0, 0.0):
            return image
        return (image - self.offset) * (1.0 / self.gain)


def _reversed(image: Tensor) -> Tensor:
    """Return an image [N, 3, H, W] with its channels in reverse order."""
    return torch.cat([image[:, 2:3], image[:, 1:2], image[:, 0:1]], 1)


class ToNetwork(nn.Module):
    """Conversion of pictures, RGB in 0..1, to a network's own format.

    Grey is the luma of BT.601; an alpha channel is opaque.
    """

    def __init__(self, pixels: PixelFormat) -> None:
        super().__init__()
        self.pixels = pixels
        self.affine = _Affine(*pixels.gain_and_offset())

    def forward(self, image: Tensor) -> Tensor:
        """Return the network's input for an image [N, 3, H, W] in 0..1."""
        pixels = self.pixels
        if pixels.channels == 1:
            red, green, blue = (image[:, i : i + 1] * LUMA[i] for i in range(3))
            image = red + green + blue
        elif pixels.order == "BGR":
            image = _reversed(image)
        image = self.affine(image)
        if pixels.channels == 4:
            image = torch.cat([image, torch.full_like(image[:, :1], pixels.high)], 1)
        if pixels.dtype == "uint8":
            image = torch.round(image).to(torch.uint8)
        return image.permute(0, 2, 3, 1) if pixels.layout == "NHWC" else image


class FromNetwork(nn.Module):
    """Conversion of a network's output to RGB in 0..1, cropped to the content's size times a scale.

    Grey becomes three equal channels; what is transparent is laid over white, as in pictures that
    are read.

    Args:
        pixels: format of the output.
        scale: height and width of the output over those of the content.
    """

    def __init__(self, pixels: PixelFormat, scale: int = 1) -> None:
        super().__init__()
        self.pixels = pixels
        self.scale = scale
        self.affine = _Affine(*pixels.gain_and_offset())

    def forward(self, image: Tensor, like: Tensor) -> Tensor:
        """Return the picture [N, 3, H, W] of an output, not clamped.

        Args:
            image: output of the network.
            like: content [N, 3, h, w]; H = scale·h, W = scale·w.
        """
        pixels = self.pixels
        if pixels.layout == "NHWC":
            image = image.permute(0, 3, 1, 2)
        if image.dtype != like.dtype and not image.is_floating_point():
            image = image.to(like.dtype)
        image = image[:, :, : self.scale * like.shape[2], : self.scale * like.shape[3]]
        if pixels.channels == 4:
            alpha = (image[:, 3:] - pixels.low) * (1.0 / (pixels.high - pixels.low))
            alpha = torch.clamp(alpha, 0.0, 1.0)
            return 1.0 - alpha + torch.clamp(self._colours(image[:, :3]), 0.0, 1.0) * alpha
        return self._colours(image)

    def _colours(self, image: Tensor) -> Tensor:
        image = self.affine.inverse(image)
        if self.pixels.channels == 1:
            return torch.cat([image, image, image], 1)
        return _reversed(image) if self.pixels.order == "BGR" else image
