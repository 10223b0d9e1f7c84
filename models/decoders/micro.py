"""Decoder of MicroAST: two modulated residual blocks, AdaIN before each, two doublings."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.encoders._micro import WIDTH, ReflectedConv, Residual
from styleexport.models.transforms import adain
from styleexport.models.transforms.modulation import modulated


class ModulatedResidual(Residual):
    """A residual block whose filters a style scales and shifts."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Return features [N, 64, H, W] for features, and a weight and a bias [N, 64, 1, 1]."""
        y = F.relu(modulated(self.conv1(x), x, weight, bias))
        return x + modulated(self.conv2(y), y, weight, bias)


class MicroDecoder(nn.Module):
    """Maps deepest features [N, 64, h, w] and a style to an image [N, 3, 4h, 4w].

    Keys as published; 153,843 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dec1, self.dec2 = ModulatedResidual(), ModulatedResidual()
        self.dec3 = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            ReflectedConv(WIDTH, 32, groups=32),
            nn.ReLU(),
            ReflectedConv(32, 32, 1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            ReflectedConv(32, 16, groups=16),
            nn.ReLU(),
            ReflectedConv(16, 16, 1),
            nn.ReLU(),
            ReflectedConv(16, 3, 9),
        )

    def forward(self, deepest: Tensor, levels: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        """Return the image [N, 3, 4h, 4w].

        Args:
            deepest: second level of the content's features, [N, 64, h, w].
            levels: statistics code [N, 128], weight and bias [N, 64, 1, 1] of each level of the
                style, the first level first. The deeper level acts first.
        """
        x = deepest
        for block, (code, weight, bias) in zip((self.dec1, self.dec2), levels[::-1], strict=True):
            x = block(adain.normalise_to(x, code, unbiased=True), weight, bias)
        return self.dec3(x)
