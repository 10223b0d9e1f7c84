"""Channel removal: what both pruning methods share, from tracing dependencies to a cut network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from styleexport.models.architecture import KeptChannels, keep_channels, layers
from styleexport.models.compress.prune.channel_trace import trace_dependencies
from styleexport.models.compress.prune.dependencies import ChannelDependencies
from styleexport.models.network import LoadedNetwork, TwoImageModule
from styleexport.models.pixel_modules import ToNetwork

TRACE_SIDE = 64


def trace_input(network: LoadedNetwork) -> Tensor:
    """Return the noise that a network is traced on, [1, 3, H, W] in 0..1, always the same."""
    side = max(TRACE_SIDE, network.network.min_side)
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def to_network(network: LoadedNetwork, picture: Tensor) -> Tensor:
    """Return a picture [1, 3, H, W] in 0..1 in the network's own pixel format."""
    return ToNetwork(network.network.input_pixels)(picture)


def paint_in_own_style(module: nn.Module, picture: Tensor) -> tuple[Tensor, ...]:
    """Return a picture painted in its own style, and the style code [1, K] if there is one."""
    if not isinstance(module, TwoImageModule):
        return (module(picture),)
    code = module.encode(picture)
    return module.transfer(picture, code, torch.ones(1)), code


def dependencies_of(network: LoadedNetwork) -> ChannelDependencies:
    """Return which channels of a network can only be removed together."""
    picture = to_network(network, trace_input(network))
    return trace_dependencies(network.module, picture, paint_in_own_style)


def remove_channels(network: LoadedNetwork, kept: Mapping[str, KeptChannels]) -> LoadedNetwork:
    """Return a copy of a network whose layers keep some channels; other layers keep all."""
    module = copy.deepcopy(network.module)
    present = dict(layers(module))
    for name, channels in kept.items():
        keep_channels(present[name], channels)
    return replace(network, module=module)
