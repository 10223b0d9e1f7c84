"""Encoder of MicroAST: strided convolutions in groups to 1/4, residual blocks, two levels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 64


class ReflectedConv(nn.Module):
    """A convolution behind a reflection padding of half its kernel; key as published.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: side of the kernel, odd.
        stride: step between outputs.
        groups: number of groups of channels.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2) if kernel > 1 else nn.Identity()
        self.conv_layer = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features [N, outputs, ceil(H/stride), ceil(W/stride)]."""
        return self.conv_layer(self.reflection_pad(x))


class Residual(nn.Module):
    """x + conv2(relu(conv1(x))) on 64 channels; a subclass may change what a convolution gives."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ReflectedConv(WIDTH, WIDTH)
        self.conv2 = ReflectedConv(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return features [N, 64, H, W]."""
        return x + self.conv2(F.relu(self.conv1(x)))


class MicroEncoder(nn.Module):
    """Maps [N, 3, H, W] RGB in 0..1 to two levels of features, [N, 64, ceil(H/4), ceil(W/4)] each.

    Keys as published; 157,792 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = nn.Sequential(
            ReflectedConv(3, 16, 9),
            nn.ReLU(),
            ReflectedConv(16, 32, stride=2, groups=16),
            nn.ReLU(),
            ReflectedConv(32, 32, 1),
            nn.ReLU(),
            ReflectedConv(32, WIDTH, stride=2, groups=32),
            nn.ReLU(),
            ReflectedConv(WIDTH, WIDTH, 1),
            nn.ReLU(),
            Residual(),
        )
        self.enc2 = nn.Sequential(Residual())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of both levels, the first level first."""
        first = self.enc1(image)
        return first, self.enc2(first)
