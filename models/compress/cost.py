"""Cost of a network before and after: parameters, multiply-accumulates, bytes and time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import msgspec
import torch

from styleexport.core.types import Role, Size
from styleexport.models.architecture import layers, widths_of
from styleexport.models.compress.activation_hooks import macs_of
from styleexport.models.network import LoadedNetwork, TwoImageModule

ROUNDS = 5
BYTES = {"fp32": 4, "fp16": 2, "int8": 1}


class Change(msgspec.Struct, frozen=True):
    """A figure before and after."""

    before: float
    after: float

    @property
    def share(self) -> float:
        """After, as a share of before."""
        return self.after / self.before if self.before else 1.0


class LayerChange(msgspec.Struct, frozen=True, kw_only=True):
    """Number of input and output channels of a layer before and after."""

    layer: str
    inputs: Change
    outputs: Change


class RoleCost(msgspec.Struct, frozen=True, kw_only=True):
    """Cost of one role at one size.

    Attributes:
        role: role of the network.
        size: size of content and style, height x width.
        macs: multiply-accumulates of one run.
        eager_ms: median time of one run in eager PyTorch on this machine, in ms; None if not
            measured.
    """

    role: Role
    size: str
    macs: Change
    eager_ms: Change | None = None


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Cost of a network before and after.

    Attributes:
        parameters: number of parameters.
        weight_bytes: bytes of the weights by precision, without scales and file headers.
        style_code: number of values in a style code; None for a fixed-style network.
        layers: layers of both networks whose number of channels changed.
        roles: cost of each default role at each size.
    """

    parameters: Change
    weight_bytes: dict[str, Change]
    style_code: Change | None
    layers: tuple[LayerChange, ...]
    roles: tuple[RoleCost, ...]


def total_macs(costs: Costs) -> Change:
    """Return the multiply-accumulates of all default roles together, at the first size."""
    first = [role.macs for role in costs.roles if role.size == costs.roles[0].size]
    return Change(sum(macs.before for macs in first), sum(macs.after for macs in first))


def parameters_of(network: LoadedNetwork) -> int:
    """Return the number of parameters of a network."""
    return sum(parameter.numel() for parameter in network.module.parameters())


def compare_costs(
    before: LoadedNetwork, after: LoadedNetwork, sizes: Sequence[Size], *, timed: bool
) -> Costs:
    """Return the costs of two networks, role by role and size by size.

    Args:
        before: original network.
        after: the same network with fewer channels, or another with the same roles.
        sizes: sizes of the pictures.
        timed: whether time is measured too.
    """
    parameters = Change(parameters_of(before), parameters_of(after))
    roles = [
        RoleCost(
            role=role,
            size=str(size),
            macs=Change(*(sum(macs_of(n, role, size).values()) for n in (before, after))),
            eager_ms=eager_ms(before, after, role, size) if timed else None,
        )
        for size in sizes
        for role in before.default_roles
    ]
    code = None
    if isinstance(before.module, TwoImageModule):
        code = Change(_code_length(before), _code_length(after))
    return Costs(
        parameters=parameters,
        weight_bytes={
            precision: Change(parameters.before * each, parameters.after * each)
            for precision, each in BYTES.items()
        },
        style_code=code,
        layers=_changed(before, after),
        roles=tuple(roles),
    )


def _changed(before: LoadedNetwork, after: LoadedNetwork) -> tuple[LayerChange, ...]:
    old = {name: widths_of(layer) for name, layer in layers(before.module)}
    new = {name: widths_of(layer) for name, layer in layers(after.module)}
    return tuple(
        LayerChange(
            layer=name,
            inputs=Change(old[name].inputs, new[name].inputs),
            outputs=Change(old[name].outputs, new[name].outputs),
        )
        for name in old
        if name in new and old[name] != new[name]
    )


@torch.no_grad()
def _code_length(network: LoadedNetwork) -> int:
    side = network.network.min_side
    return int(network.role_module(Role.ENCODE)(torch.full((1, 3, side, side), 0.5)).shape[1])


@torch.inference_mode()
def eager_ms(before: LoadedNetwork, after: LoadedNetwork, role: Role, size: Size) -> Change:
    """Return the median time in ms of five runs of each network, alternating in this process."""
    noise = torch.rand(1, 3, size.height, size.width, generator=torch.Generator().manual_seed(0))
    inputs_of: list[dict[str, torch.Tensor]] = []
    modules = [network.role_module(role) for network in (before, after)]
    for network in (before, after):
        inputs = {"content": noise, "style": noise, "strength": torch.ones(1)}
        if role is Role.TRANSFORM:
            inputs["style_code"] = network.role_module(Role.ENCODE)(noise)
        inputs_of.append(inputs)
    samples: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):
        for index, module in enumerate(modules):
            inputs = [inputs_of[index][name] for name in module.input_names()]
            started = time.perf_counter()
            module(*inputs)
            samples[index].append((time.perf_counter() - started) * 1e3)
    return Change(*(round(statistics.median(each[1:]), 3) for each in samples))
