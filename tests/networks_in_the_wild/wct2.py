"""WCT² (Yoo, Uh, Chun, Kang and Ha, "Photorealistic Style Transfer via Wavelet Transforms", ICCV
2019).

Hard: Haar wavelets pool and unpool (depthwise convolutions with constant weights, and transposed
ones), three of the four bands skip the bottleneck, and the features are whitened and coloured. The
published code does that with an SVD, which no phone runs; here the roots of the covariance come
from coupled Newton-Schulz iterations, which are matrix products alone, and the code is the style's
root and mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, LEVELS, ITERATIONS, RIDGE = 8, 2, 8, 1e-2


def _conv(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3), nn.ReLU()


def haar(width: int) -> Tensor:
    """Return the four bands' kernels, LL, LH, HL and HH, of every channel, [4·width, 1, 2, 2]."""
    low, high = torch.tensor([0.5**0.5] * 2), torch.tensor([-(0.5**0.5), 0.5**0.5])
    bands = torch.stack([torch.outer(a, b) for a in (low, high) for b in (low, high)])
    return bands.unsqueeze(1).repeat(width, 1, 1, 1)


class Wavelet(nn.Module):
    """Haar wavelets of every channel, and their inverse."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("kernels", haar(width))

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the low band [N, C, H/2, W/2] and the three high ones [N, C, 3, H/2, W/2]."""
        bands = F.conv2d(x, self.kernels, stride=2, groups=self.width)
        bands = bands.reshape(bands.shape[0], self.width, 4, *bands.shape[2:])
        return bands[:, :, 0], bands[:, :, 1:]

    def unpooled(self, low: Tensor, high: Tensor) -> Tensor:
        """Return the map that the bands are of, [N, C, H, W]."""
        bands = torch.cat([low.unsqueeze(2), high], 2).flatten(1, 2)
        return F.conv_transpose2d(bands, self.kernels, stride=2, groups=self.width)


def _centred(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the flat centred map [N, C, HW], its mean [N, C, 1] and covariance [N, C, C]."""
    flat = x.flatten(2)
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    covariance = torch.bmm(centred, centred.transpose(1, 2)) / flat.shape[2]
    return centred, mean, covariance


def _roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return a covariance's root and inverse root, with a ridge of `RIDGE` of its mean variance."""
    eye = torch.eye(covariance.shape[1])
    trace = (covariance * eye).sum((1, 2), keepdim=True)
    matrix = covariance + eye * (trace * (RIDGE / covariance.shape[1]))
    norm = trace * (1 + RIDGE)
    y, z = matrix / norm, eye.expand_as(matrix)
    for _ in range(ITERATIONS):
        step = 1.5 * eye - 0.5 * torch.bmm(z, y)
        y, z = torch.bmm(y, step), torch.bmm(step, z)
    root = torch.sqrt(norm)
    return y * root, z / root


class Wct2(nn.Module):
    """Two wavelet levels around a bottleneck that is whitened and coloured."""

    pixels = "0..1"

    def __init__(self) -> None:
        super().__init__()
        widths = [WIDTH, 2 * WIDTH]
        self.encoders = nn.ModuleList(
            [nn.Sequential(*_conv(3, widths[0])), nn.Sequential(*_conv(widths[0], widths[1]))]
        )
        self.wavelets = nn.ModuleList(map(Wavelet, widths))
        self.bottom = nn.Sequential(*_conv(widths[1], widths[1]))
        self.back = nn.Sequential(*_conv(widths[1], widths[1]))
        self.decoder = nn.Sequential(*_conv(widths[1], widths[0]))
        self.last = nn.ReflectionPad2d(1)
        self.image = nn.Conv2d(widths[0], 3, 3)

    def _down(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        skipped: list[Tensor] = []
        for encoder, wavelet in zip(self.encoders, self.wavelets, strict=True):
            x, high = wavelet.pooled(encoder(x))
            skipped.append(high)
        return self.bottom(x), skipped

    def encode(self, style: Tensor) -> Tensor:
        _, mean, covariance = _centred(self._down(style)[0])
        return torch.cat([mean.flatten(1), _roots(covariance)[0].flatten(1)], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        x, skipped = self._down(content)
        width = x.shape[1]
        centred, _, covariance = _centred(x)
        colour = torch.bmm(code[:, width:].reshape(-1, width, width), _roots(covariance)[1])
        styled = torch.bmm(colour, centred) + code[:, :width].unsqueeze(2)
        x = self.back(strength * styled.view_as(x) + (1 - strength) * x)
        x = self.decoder(self.wavelets[1].unpooled(x, skipped[1]))
        return self.image(self.last(self.wavelets[0].unpooled(x, skipped[0])))


def build() -> nn.Module:
    """Return the network, thin and two levels deep."""
    torch.manual_seed(11)
    module = Wct2()
    content, one = pictures(), torch.ones(1)
    run = lambda: module.transfer(content, module.encode(content.flip(0)), one)  # noqa: E731
    return weighted(module, module.image, run, spread=0.15, middle=0.5)
