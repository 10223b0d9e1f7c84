"""The layout of a budget: which mirrored layers give channels until the network is small enough.

Greedy. The layer whose next few channels cost the least style for what they save gives first: the
style is read off its sensitivity, the saving counts where a limit is not yet met, with the widths
that the other layers have by then. Widths stay multiples of 8 where a layer has 32 channels or
more, as kernels like them, and no layer goes below a quarter of its channels, past which nothing
was measured. Losses of several layers are taken to add up, which is a guess; the quality of what
was found is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styleexport.core.budget import BYTE_COUNT, Limit
from styleexport.core.types import Size
from styleexport.models.architecture import has_kernel, is_depthwise, layers
from styleexport.models.compress.activation_hooks import macs_of
from styleexport.models.compress.cost import BYTES, parameters_of
from styleexport.models.compress.prune.budget import PruneTerm
from styleexport.models.compress.prune.sensitivity import SHARES, Sensitivity
from styleexport.models.compress.prune.symmetric_l2 import Cutter
from styleexport.models.network import LoadedNetwork

MULTIPLE = 8
WIDE = 32
LEAST_LOSS = 1e-6


@dataclass(frozen=True)
class _Share:
    """What one layer costs, and the sets of the channels that it pays for.

    Attributes:
        inputs: that its cost is proportional to; None where it is not.
        outputs: the same.
        macs: of the whole layer.
        kernel: its parameters that go with inputs and outputs.
        vectors: its parameters that go with outputs alone.
    """

    inputs: Tensor | None
    outputs: Tensor
    macs: float
    kernel: float
    vectors: float


class CostModel:
    """What a network costs without some sets of channels, layer by layer.

    Args:
        cutter: of the network.
        size: of the pictures.
    """

    def __init__(self, cutter: Cutter, size: Size) -> None:
        network = cutter.network
        self._count = max(max(labels, default=0) for labels in cutter.coupling.outputs.values()) + 1
        self._count = max(
            self._count, *(max(labels, default=0) + 1 for labels in cutter.coupling.inputs.values())
        )
        self._shares = tuple(_shares(network, cutter, _macs(network, size)))
        self._fixed = parameters_of(network) - sum(s.kernel + s.vectors for s in self._shares)

    def __call__(self, gone: Iterable[int]) -> tuple[float, float]:
        """Return multiply-accumulates and parameters."""
        alive = torch.ones(self._count)
        alive[list(gone)] = 0
        macs, parameters = 0.0, self._fixed
        for share in self._shares:
            outputs = float(alive[share.outputs].mean())
            both = outputs * (1.0 if share.inputs is None else float(alive[share.inputs].mean()))
            macs += share.macs * both
            parameters += share.kernel * both + share.vectors * outputs
        return macs, parameters


def _macs(network: LoadedNetwork, size: Size) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for role in network.default_roles:
        for name, macs in macs_of(network, role, size).items():
            found[name] = found.get(name, 0.0) + macs
    return found


def _shares(network: LoadedNetwork, cutter: Cutter, macs: Mapping[str, float]) -> Iterable[_Share]:
    for name, layer in layers(network.module):
        own = {key: p.numel() for key, p in layer.named_parameters(recurse=False)}
        mixes = has_kernel(layer) and not is_depthwise(layer)
        kernel = own.get("weight", 0) if mixes else 0
        yield _Share(
            inputs=torch.tensor(cutter.coupling.inputs[name]) if mixes else None,
            outputs=torch.tensor(cutter.coupling.outputs[name]),
            macs=macs.get(name, 0.0),
            kernel=kernel,
            vectors=sum(own.values()) - kernel,
        )


def find_layout(
    cutter: Cutter, sensitivity: Sensitivity, limits: Sequence[Limit[PruneTerm]], size: Size
) -> tuple[int, ...]:
    """Return the widths of the mirrored layers that meet limits of size, or come nearest.

    Args:
        cutter: of the network.
        sensitivity: of the same layers.
        limits: of size.
        size: of the pictures that multiply-accumulates are counted for.
    """
    model = CostModel(cutter, size)
    whole = model(())
    widths = list(cutter.widths)
    while True:
        now = _over(limits, model(cutter.gone(widths)), whole)
        if not any(now):
            return tuple(widths)
        best: tuple[float, int, int] | None = None
        for index, layer in enumerate(sensitivity.layers):
            width = _narrower(widths[index], layer.width)
            if width is None:
                continue
            after = [*widths[:index], width, *widths[index + 1 :]]
            saved = sum(now) - sum(_over(limits, model(cutter.gone(after)), whole))
            lost = layer.style_change_at(width) - layer.style_change_at(widths[index])
            price = (lost + LEAST_LOSS) / saved if saved > 0 else math.inf
            if best is None or price < best[0]:
                best = (price, index, width)
        if best is None:
            return tuple(widths)
        widths[best[1]] = best[2]


def _over(
    limits: Sequence[Limit[PruneTerm]], cost: tuple[float, float], whole: tuple[float, float]
) -> list[float]:
    """Return by what share of the whole network a cost is above each limit."""
    macs, parameters = cost
    found: list[float] = []
    for limit in limits:
        reached, most = (macs, whole[0]) if limit.term.name == "macs" else (parameters, whole[1])
        allowed = limit.value / BYTES["int8"] if limit.unit is BYTE_COUNT else limit.value * most
        found.append(max(0.0, (reached - allowed) / most))
    return found


def _narrower(width: int, whole: int) -> int | None:
    """Return the next width that a layer may have, None at the last."""
    step = MULTIPLE if whole >= WIDE else 1
    least = max(1, math.ceil(whole * (1 - SHARES[-1]) / step) * step)
    smaller = (width - 1) // step * step
    return smaller if smaller >= least else None
