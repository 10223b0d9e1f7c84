"""Gradients that are written out, against automatic differentiation in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from styleexport.models.encoders._enet import ASYMMETRIC, STRIDED, Bottleneck, InitialBlock, Kind
from styleexport.models.transforms.backward import with_gradient

LAYERS = {
    "convolution": lambda: nn.Conv2d(3, 5, 3, padding=1),
    "without padding": lambda: nn.Conv2d(3, 5, 3),
    "reflection": lambda: nn.Conv2d(3, 5, 5, padding=2, padding_mode="reflect"),
    "dilated": lambda: nn.Conv2d(3, 5, 3, padding=4, dilation=4),
    "asymmetric": lambda: nn.Conv2d(3, 5, (1, 5), padding=(0, 2)),
    "strided 3x3": lambda: nn.Conv2d(3, 5, 3, 2, 1),
    "strided 2x2": lambda: nn.Conv2d(3, 5, 2, 2),
    "ReLU": nn.ReLU,
    "PReLU": nn.PReLU,
    "PReLU of channels": lambda: nn.PReLU(3),
    "pool": lambda: nn.MaxPool2d(2),
    "pool up": lambda: nn.MaxPool2d(2, ceil_mode=True),
    "sequence": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.MaxPool2d(2)),
    "initial block": lambda: InitialBlock(8),
    "bottleneck": lambda: Bottleneck(3, 12, Kind(dilation=2)),
    "strided bottleneck": lambda: Bottleneck(4, 8, STRIDED),
    "asymmetric bottleneck": lambda: Bottleneck(8, 8, ASYMMETRIC),
}
CHANNELS = {"strided bottleneck": 4, "asymmetric bottleneck": 8}


def in_steps(*shape: int) -> Tensor:
    """Random values of seven levels: windows whose pixels are equal, and zeros."""
    return (torch.randint(-3, 4, shape) / 2).double()


def relative_error(layer: nn.Module, x: Tensor) -> float:
    """Error of a gradient, of its largest value."""
    y, backward = with_gradient(layer, x)
    source = x.clone().requires_grad_(True)
    expected = layer(source)
    torch.testing.assert_close(y, expected.detach(), rtol=1e-12, atol=1e-12)
    g = torch.randn_like(y)
    expected.backward(g)
    assert source.grad is not None
    return float((backward(g) - source.grad).abs().max() / source.grad.abs().max())


@pytest.mark.parametrize("size", [(12, 16), (13, 15)])
@pytest.mark.parametrize("name", LAYERS)
def test_a_gradient_is_that_of_automatic_differentiation(name, size):
    layer = LAYERS[name]().double().requires_grad_(False)
    assert relative_error(layer, in_steps(1, CHANNELS.get(name, 3), *size)) < 1e-12


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(4, 4, 3, groups=2), nn.MaxPool2d(3), nn.Tanh()], ids=lambda x: str(x)
)
def test_a_layer_without_a_gradient_is_refused(layer):
    with pytest.raises(TypeError, match="has no gradient"):
        with_gradient(layer, torch.rand(1, 4, 8, 8))
