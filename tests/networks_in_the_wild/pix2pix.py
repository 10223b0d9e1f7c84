"""pix2pix' U-Net (Isola, Zhu, Zhou and Efros, CVPR 2017).

Hard: skip connections over every level (concatenations whose parts have ranges of their own), even
kernels of 4 with stride 2, one level that halves the height alone, batch norms behind transposed
convolutions, dropout that inference must leave out, and pixels of -1..1 from tanh.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTHS = (8, 16, 24, 32, 32)
STRIDES = ((2, 2), (2, 2), (2, 2), (2, 1), (2, 2))


class UNet(nn.Module):
    """Five strided convolutions down, five transposed ones up."""

    pixels = "-1..1"

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (width, stride) in enumerate(zip(WIDTHS, STRIDES, strict=True)):
            inputs = WIDTHS[level - 1] if level else 3
            kernel = tuple(side + 2 for side in stride)
            outer = 0 < level < len(WIDTHS) - 1
            self.down.append(
                nn.Sequential(
                    nn.LeakyReLU(0.2) if level else nn.Identity(),
                    nn.Conv2d(inputs, width, kernel, stride, 1, bias=not outer),
                    nn.BatchNorm2d(width) if outer else nn.Identity(),
                )
            )
            if not level:
                continue
            doubled = width if level == len(WIDTHS) - 1 else 2 * width
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(doubled, inputs, kernel, stride, 1, bias=False),
                    nn.BatchNorm2d(inputs),
                    nn.Dropout(0.5) if level > 2 else nn.Identity(),
                )
            )
        self.image = nn.ConvTranspose2d(2 * WIDTHS[0], 3, 4, 2, 1)

    def forward(self, content: Tensor) -> Tensor:
        levels = [content]
        for layer in self.down:
            levels.append(layer(levels[-1]))
        x = levels.pop()
        for layer in reversed(self.up):
            x = torch.cat([levels.pop(), layer(x)], 1)
        return torch.tanh(self.image(torch.relu(x)))


def build() -> nn.Module:
    """Return the U-Net, thin and five levels deep."""
    torch.manual_seed(4)
    module = UNet()
    return weighted(module, module.image, lambda: module(pictures(-1, 1)), spread=0.5)
