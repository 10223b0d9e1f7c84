"""Statistics of fixed batch norms: measured once on pictures, where no weights file has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from styleexport.models.encoders._staged import FixedBatchNorm2d
from styleexport.models.network import TwoImageModule


@torch.no_grad()
def measure_norms(module: nn.Module, images: Callable[[], Tensor]) -> None:
    """Set the running statistics of a network's fixed batch norms to those of pictures, in place.

    Random weights let features grow or vanish from layer to layer; the norms keep their size.

    Args:
        module: two-image network with random weights.
        images: returns pictures, [N, 3, H, W] in 0..1; called where there are such norms.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, FixedBatchNorm2d)]
    if not norms or not isinstance(module, TwoImageModule):
        return
    for norm in norms:
        norm.training, norm.momentum = True, 1.0
    module.encode(images())
    for norm in norms:
        norm.training = False


@runtime_checkable
class Adapting(Protocol):
    """A network whose parts come of different trainings and are adapted to each other."""

    def adapt(self, images: Tensor) -> None:
        """Adapt the parts, in place, with statistics of pictures [N, 3, H, W] in 0..1."""
        ...


def adapt(module: nn.Module, images: Callable[[], Tensor]) -> None:
    """Adapt the parts of a network to each other, in place, where it has a way to.

    Args:
        module: network with weights of its encoder.
        images: returns pictures, [N, 3, H, W] in 0..1; called where it is `Adapting`.
    """
    if isinstance(module, Adapting):
        module.adapt(images())
