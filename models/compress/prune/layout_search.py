"""Layout search: a greedy choice of layer widths that meets the size limits of a budget.

Each step narrows the layer whose next few channels cost the least style for what they save: the
style change is read from the layer's sensitivity, and savings count only toward limits that are not
met yet, given the present widths of the other layers. Widths stay multiples of 8 in layers of 32
channels or more, which kernels run best on, or of the number that is asked for in all layers. No
layer is cut below a quarter of its channels, where nothing was measured. Style changes of several
layers are assumed to add up, which is an approximation; the quality of the resulting network is
measured.
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
from styleexport.models.compress.prune.symmetric_l2 import ChannelRanking
from styleexport.models.network import LoadedNetwork

MULTIPLE = 8
WIDE = 32
LEAST_LOSS = 1e-6


@dataclass(frozen=True)
class _LayerCost:
    """Cost of one layer, and the channel groups that it is proportional to.

    Attributes:
        inputs: groups of the input channels, [I]; None where the cost does not depend on them.
        outputs: groups of the output channels, [O].
        macs: multiply-accumulates of the whole layer.
        kernel: number of parameters proportional to inputs and outputs.
        vectors: number of parameters proportional to outputs alone.
    """

    inputs: Tensor | None
    outputs: Tensor
    macs: float
    kernel: float
    vectors: float


class CostModel:
    """Predicts a network's MACs and parameters without some channel groups, layer by layer.

    Args:
        ranking: channel ranking of the network.
        size: size of the pictures that MACs are counted for.
    """

    def __init__(self, ranking: ChannelRanking, size: Size) -> None:
        network, dependencies = ranking.network, ranking.dependencies
        groups = [*dependencies.outputs.values(), *dependencies.inputs.values()]
        self._count = 1 + max(max(channels, default=0) for channels in groups)
        self._layers = tuple(_layer_costs(ranking, _macs(network, size)))
        self._fixed = parameters_of(network) - sum(c.kernel + c.vectors for c in self._layers)

    def __call__(self, removed: Iterable[int]) -> tuple[float, float]:
        """Return multiply-accumulates and parameters without some channel groups."""
        kept = torch.ones(self._count)
        kept[list(removed)] = 0
        macs, parameters = 0.0, self._fixed
        for cost in self._layers:
            outputs = float(kept[cost.outputs].mean())
            both = outputs * (1.0 if cost.inputs is None else float(kept[cost.inputs].mean()))
            macs += cost.macs * both
            parameters += cost.kernel * both + cost.vectors * outputs
        return macs, parameters


def _macs(network: LoadedNetwork, size: Size) -> Mapping[str, float]:
    """Return the MACs of each layer over all default roles."""
    totals: dict[str, float] = {}
    for role in network.default_roles:
        for name, macs in macs_of(network, role, size).items():
            totals[name] = totals.get(name, 0.0) + macs
    return totals


def _layer_costs(ranking: ChannelRanking, macs: Mapping[str, float]) -> Iterable[_LayerCost]:
    dependencies = ranking.dependencies
    for name, layer in layers(ranking.network.module):
        own = {key: p.numel() for key, p in layer.named_parameters(recurse=False)}
        mixes = has_kernel(layer) and not is_depthwise(layer)
        kernel = own.get("weight", 0) if mixes else 0
        yield _LayerCost(
            inputs=torch.tensor(dependencies.inputs[name]) if mixes else None,
            outputs=torch.tensor(dependencies.outputs[name]),
            macs=macs.get(name, 0.0),
            kernel=kernel,
            vectors=sum(own.values()) - kernel,
        )


def find_layout(
    ranking: ChannelRanking,
    sensitivity: Sensitivity,
    limits: Sequence[Limit[PruneTerm]],
    size: Size,
    multiple: int = 1,
) -> tuple[int, ...]:
    """Return widths of the mirrored layers that meet size limits, or come nearest to them.

    Args:
        ranking: channel ranking of the network.
        sensitivity: sensitivity of the same layers.
        limits: limits on MACs, parameters or bytes.
        size: size of the pictures that MACs are counted for.
        multiple: multiple of the widths of all layers that shrink; 1 for 8 in wide layers.
    """
    model = CostModel(ranking, size)
    whole = model(())
    widths = list(ranking.widths)
    while True:
        excess = _excess(limits, model(ranking.removed_groups(widths)), whole)
        if not any(excess):
            return tuple(widths)
        best: tuple[float, int, int] | None = None
        for index, layer in enumerate(sensitivity.layers):
            width = _narrower(widths[index], layer.width, multiple)
            if width is None:
                continue
            after = [*widths[:index], width, *widths[index + 1 :]]
            cost = model(ranking.removed_groups(after))
            saved = sum(excess) - sum(_excess(limits, cost, whole))
            lost = layer.style_change_at(width) - layer.style_change_at(widths[index])
            price = (lost + LEAST_LOSS) / saved if saved > 0 else math.inf
            if best is None or price < best[0]:
                best = (price, index, width)
        if best is None:
            return tuple(widths)
        widths[best[1]] = best[2]


def _excess(
    limits: Sequence[Limit[PruneTerm]], cost: tuple[float, float], whole: tuple[float, float]
) -> list[float]:
    """Return how far a cost exceeds each limit, as a share of the whole network's cost."""
    macs, parameters = cost
    excess: list[float] = []
    for limit in limits:
        reached, most = (macs, whole[0]) if limit.term.name == "macs" else (parameters, whole[1])
        allowed = limit.value / BYTES["int8"] if limit.unit is BYTE_COUNT else limit.value * most
        excess.append(max(0.0, (reached - allowed) / most))
    return excess


def _narrower(width: int, whole: int, multiple: int) -> int | None:
    """Return the next smaller width of a layer of ``whole`` channels; None at the smallest."""
    step = multiple if multiple > 1 else MULTIPLE if whole >= WIDE else 1
    least = max(step, math.ceil(whole * (1 - SHARES[-1]) / step) * step)
    smaller = (width - 1) // step * step
    return smaller if smaller >= least else None
