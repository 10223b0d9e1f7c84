"""Decoder of MicroAST: two modulated residual blocks, AdaIN before each, two doublings."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.encoders._micro import WIDTH, ReflectedConv, Residual
from styleexport.models.transforms import adain
from styleexport.models.transforms.modulation import modulated


class ModulatedResidual(Residual):
    """A residual block whose filters a style scales and shifts: y = w·conv(x) + b·x, twice.

    What AdaIN gives has channel means many times as large as the deviations around them, so 8 bits
    for the whole would leave few for what varies. A constant passes a reflected convolution as a
    constant, so the mean m goes around it, exactly:

        w·conv(x + m) + b·(x + m) = w·conv(x) + b·x + (w·(ΣW)·m + b·m)

    Args:
        centres: whether what the second convolution reads is centred, for a block before AdaIN: its
            output then has another mean, which AdaIN removes, and none far above its deviation.
    """

    def __init__(self, *, centres: bool = False) -> None:
        super().__init__()
        self.centres = centres

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Tensor, mean: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Return the block's output for x + m, less a constant, [N, 64, H, W].

        The constant is m, or what centring leaves of the output's mean.

        Args:
            x: features less their mean, [N, 64, H, W].
            mean: m, [N, 64, 1, 1].
            weight: w, [N, 64, 1, 1].
            bias: b, [N, 64, 1, 1].
        """
        sums = self.conv1.conv_layer.weight.sum((2, 3))
        filtered_mean = F.linear(mean.flatten(1), sums)[:, :, None, None]
        constant = modulated(filtered_mean, mean, weight, bias)
        y = F.relu(modulated(self.conv1(x), x, weight, bias) + constant)
        y = y - y.mean((2, 3), keepdim=True) if self.centres else y
        return x + modulated(self.conv2(y), y, weight, bias)


class MicroDecoder(nn.Module):
    """Maps deepest features [N, 64, h, w] and a style to an image [N, 3, 4h, 4w].

    Keys as published; 153,843 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dec1, self.dec2 = ModulatedResidual(centres=True), ModulatedResidual()
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
        first, second = levels
        x = self.dec1(*_restyled(deepest, second[0]), *second[1:])
        x, mean = _restyled(x, first[0])
        return self.dec3(self.dec2(x, mean, *first[1:]) + mean)


def _restyled(x: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
    """Return AdaIN of features less the style's mean, and that mean [N, 64, 1, 1]."""
    mean, deviation = code[:, :WIDTH, None, None], code[:, WIDTH:, None, None]
    _, own, centred = adain.statistics(x, unbiased=True)
    return centred * (deviation / own), mean
