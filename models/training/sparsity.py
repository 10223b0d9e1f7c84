"""Group lasso on channels (Yuan and Lin, 2006), by its proximal step after each step of training.

A group is what makes one output channel: the scale and shift of a batch norm, or the row of a
convolution without a norm, with its bias. Its norm shrinks by a constant a step, so that a channel
that the loss does not hold on to becomes exactly zero, and `styleexport prune --method
zero-channel` removes it without a change. A group of n values shrinks √n times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from styleexport.models.encoders._staged import FixedBatchNorm2d

# Convolutions of fewer channels make pictures, whose channels stay.
LEAST_CHANNELS = 8

Group = tuple[Tensor, Tensor]


def channel_groups(module: nn.Module, trained: Collection[str]) -> list[Group]:
    """Return weight and bias of each layer whose output channels may go, [C, …] and [C].

    Args:
        module: network.
        trained: names of the parameters that are trained.
    """
    groups: list[Group] = []
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Conv2d | FixedBatchNorm2d) or layer.bias is None:
            continue
        if len(layer.bias) >= LEAST_CHANNELS and f"{name}.weight" in trained:
            groups.append((layer.weight, layer.bias))
    return groups


@torch.no_grad()
def shrink(groups: Sequence[Group], amount: float) -> None:
    """Shrink the norm of each channel's group, in place, to 0 at the least.

    Args:
        groups: of `channel_groups`.
        amount: by which the norm of a group of one value shrinks.
    """
    for weight, bias in groups:
        rows = torch.cat(
            [weight.flatten(1) if weight.dim() > 1 else weight[:, None], bias[:, None]], 1
        )
        norms = rows.norm(dim=1)
        kept = (1 - amount * math.sqrt(rows.shape[1]) / norms.clamp_min(1e-12)).clamp_min(0)
        weight *= kept.reshape(-1, *[1] * (weight.dim() - 1))
        bias *= kept
