"""U-GAT-IT's light generator (Kim, Kim, Kang and Lee, ICLR 2020).

Hard: the class activation map multiplies features by the weights of a linear layer, fully-connected
layers compute the norms' weights from the picture, and AdaLIN mixes an instance norm with a layer
norm, channel by channel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.networks_in_the_wild._weights import pictures, weighted

WIDTH, EPSILON = 8, 1e-5


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
    )


class LayerInstanceNorm(nn.Module):
    """ρ·IN(x) + (1 - ρ)·LN(x), times γ plus β, which come from outside or are weights."""

    def __init__(self, width: int, *, adaptive: bool) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.rand(1, width, 1, 1))
        if not adaptive:
            self.gamma = nn.Parameter(torch.rand(1, width, 1, 1) + 0.5)
            self.beta = nn.Parameter(torch.rand(1, width, 1, 1) - 0.5)

    def forward(self, x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
        variance, mean = torch.var_mean(x, (2, 3), keepdim=True)
        each = (x - mean) / torch.sqrt(variance + EPSILON)
        variance, mean = torch.var_mean(x, (1, 2, 3), keepdim=True)
        whole = (x - mean) / torch.sqrt(variance + EPSILON)
        mixed = self.rho * each + (1 - self.rho) * whole
        gamma = self.gamma if gamma is None else gamma[:, :, None, None]
        beta = self.beta if beta is None else beta[:, :, None, None]
        return mixed * gamma + beta


class Residual(nn.Module):
    """Residual block with instance norms."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _conv(width, width),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            _conv(width, width),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class AdaptiveResidual(nn.Module):
    """Residual block with AdaLIN."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(width, width), LayerInstanceNorm(width, adaptive=True)
        self.conv2, self.norm2 = _conv(width, width), LayerInstanceNorm(width, adaptive=True)

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x), gamma, beta))
        return x + self.norm2(self.conv2(y), gamma, beta)


class UGatIt(nn.Module):
    """Generator with attention from two pooled classifiers."""

    pixels = "-1..1"

    def __init__(self) -> None:
        super().__init__()
        w = WIDTH
        self.down = nn.Sequential(
            *(_conv(3, w, 7), nn.InstanceNorm2d(w), nn.ReLU()),
            *(_conv(w, 2 * w, 3, 2), nn.InstanceNorm2d(2 * w), nn.ReLU()),
            *(_conv(2 * w, 4 * w, 3, 2), nn.InstanceNorm2d(4 * w), nn.ReLU()),
            *(Residual(4 * w) for _ in range(2)),
        )
        self.average_class = nn.Linear(4 * w, 1, bias=False)
        self.maximum_class = nn.Linear(4 * w, 1, bias=False)
        self.join = nn.Conv2d(8 * w, 4 * w, 1)
        self.fc = nn.Sequential(
            *(nn.Linear(4 * w, 4 * w, bias=False), nn.ReLU()),
            *(nn.Linear(4 * w, 4 * w, bias=False), nn.ReLU()),
        )
        self.gamma = nn.Linear(4 * w, 4 * w, bias=False)
        self.beta = nn.Linear(4 * w, 4 * w, bias=False)
        self.blocks = nn.ModuleList(AdaptiveResidual(4 * w) for _ in range(2))
        ups = ((4 * w, 2 * w), (2 * w, w))
        self.convs = nn.ModuleList(_conv(*widths) for widths in ups)
        self.norms = nn.ModuleList(LayerInstanceNorm(out, adaptive=False) for _, out in ups)
        self.image = nn.Conv2d(w, 3, 7, bias=False)

    def forward(self, content: Tensor) -> Tensor:
        x = self.down(content)
        average = x * self.average_class.weight[:, :, None, None]
        maximum = x * self.maximum_class.weight[:, :, None, None]
        x = torch.relu(self.join(torch.cat([average, maximum], 1)))
        features = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        gamma, beta = self.gamma(features), self.beta(features)
        for block in self.blocks:
            x = block(x, gamma, beta)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = torch.relu(norm(conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))))
        return torch.tanh(self.image(F.pad(x, (3, 3, 3, 3), mode="reflect")))


def build() -> nn.Module:
    """Return the generator, its widths an eighth of the published ones."""
    torch.manual_seed(5)
    module = UGatIt()
    return weighted(module, module.image, lambda: module(pictures(-1, 1)), spread=0.5)
