"""MicroAST (Wang et al., "Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer", AAAI
2023).

Hard: convolutions in groups of one and of two channels, kernels of 9x9 on the full picture, and
blocks whose filters the style scales and shifts, so that weights are computed from the code.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH = 64
PARTS = ("content_encoder", "style_encoder", "modulator", "decoder")


class Layer(nn.Module):
    """Reflected convolution; its keys are those of the published files."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv_layer = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_layer(self.pad(x))


class Residual(nn.Module):
    """Residual block; with a weight and a bias, each filter's output is w·conv(x) + b·x."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = Layer(WIDTH, WIDTH), Layer(WIDTH, WIDTH)

    def forward(
        self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        if weight is None or bias is None:
            return x + self.conv2(torch.relu(self.conv1(x)))
        y = torch.relu(weight * self.conv1(x) + bias * x)
        return x + (weight * self.conv2(y) + bias * y)


class Encoder(nn.Module):
    """Two levels of features at a quarter of the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = nn.Sequential(
            *(Layer(3, 16, 9), nn.ReLU()),
            *(Layer(16, 32, 3, 2, groups=16), nn.ReLU(), Layer(32, 32, 1), nn.ReLU()),
            *(Layer(32, 64, 3, 2, groups=32), nn.ReLU(), Layer(64, 64, 1), nn.ReLU()),
            Residual(),
        )
        self.enc2 = nn.Sequential(Residual())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = self.enc1(x)
        return first, self.enc2(first)


class Modulator(nn.Module):
    """A weight and a bias a filter, from each level."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("weight1", "bias1", "weight2", "bias2"):
            layers = nn.Sequential(Layer(WIDTH, WIDTH, groups=WIDTH), nn.AdaptiveAvgPool2d(1))
            self.add_module(name, layers)

    def forward(self, levels: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        first, second = levels
        return self.weight1(first), self.bias1(first), self.weight2(second), self.bias2(second)


class Decoder(nn.Module):
    """Two modulated blocks, then two bilinear doublings."""

    def __init__(self) -> None:
        super().__init__()
        self.dec1, self.dec2 = Residual(), Residual()
        self.dec3 = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            *(Layer(64, 32, groups=32), nn.ReLU(), Layer(32, 32, 1), nn.ReLU()),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            *(Layer(32, 16, groups=16), nn.ReLU(), Layer(16, 16, 1), nn.ReLU()),
            Layer(16, 3, 9),
        )


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True)
    return mean, torch.sqrt(variance + 1e-5)


class MicroAst(nn.Module):
    """The network; its code is 512 numbers: modulation of both levels, then their statistics.

    The published code blends features by the strength in front of both blocks. The first block's
    output is up to forty times as large as what the second is trained on, and at any strength below
    one the published weights paint a plane of one colour. So the picture is blended instead.
    """

    pixels = "0..1"
    ignores_strength = True

    def __init__(self) -> None:
        super().__init__()
        self.content_encoder, self.style_encoder = Encoder(), Encoder()
        self.modulator, self.decoder = Modulator(), Decoder()

    def encode(self, style: Tensor) -> Tensor:
        levels = self.style_encoder(style)
        parts = (*self.modulator(levels), *_statistics(levels[0]), *_statistics(levels[1]))
        return torch.cat([part.flatten(1) for part in parts], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        parts = code.reshape(-1, 8, WIDTH, 1, 1).unbind(1)
        weight1, bias1, weight2, bias2, mean1, deviation1, mean2, deviation2 = parts
        x = _adain(self.content_encoder(content)[1], mean2, deviation2)
        x = _adain(self.decoder.dec1(x, weight2, bias2), mean1, deviation1)
        return self.decoder.dec3(self.decoder.dec2(x, weight1, bias1))


def _adain(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    own, spread = _statistics(x)
    return (x - own) / spread * deviation + mean


def joined(files: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the four published state dicts, by the names of `PARTS`, as one of the network's."""
    return {f"{part}.{key}": value for part in PARTS for key, value in files[part].items()}


def build() -> nn.Module:
    """Return the network at its published widths."""
    torch.manual_seed(10)
    module = MicroAst()
    content, one = pictures(), torch.ones(1)
    run = lambda: module.transfer(content, module.encode(content.flip(0)), one)  # noqa: E731
    last = module.decoder.dec3[-1].conv_layer
    assert isinstance(last, nn.Module)
    for name, middle in (("weight1", 1.0), ("bias1", 0.0), ("weight2", 1.0), ("bias2", 0.0)):
        # Filters are scaled around one and shifted around zero, as in the published weights.
        layer = module.modulator.get_submodule(f"{name}.0.conv_layer").requires_grad_(False)
        layer.weight.mul_(0.1)  # pyright: ignore
        layer.bias.fill_(middle)  # pyright: ignore
    return weighted(module, last, run, spread=0.15, middle=0.5)
