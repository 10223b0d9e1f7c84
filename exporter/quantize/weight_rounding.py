"""Weights and biases that lose less to int8, on the same grid of values.

Rounding. Rounding each weight to the nearest value is best for the weight and not for what the
convolution computes. Here the columns of the weight matrix are rounded one after the other, and
what is lost by one is made up for in those that follow, so that ‖(W - W')X‖² over calibration
patches X falls (GPTQ: Frantar et al. 2022, algorithm 1; AdaRound, Nagel et al. 2020, has the same
aim). The largest weight of a channel keeps its value, so that every tool that takes scales from the
weights finds the same grid.

Palettes. Weights of 4 bits take 16 of the int8 values, for every 16 output channels those of a
k-means weighted by E[x²] of the input, ±127 among them; columns are rounded to these in the same
way.

Bias. What rounding adds to the mean of each channel, (W - W')·E[x], goes into the bias (Nagel et
al. 2019, section 4.2).

Patches come from one run of the network with everything rounded to the nearest, so that a
convolution's weights are rounded for the inputs that it will meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.recipe import Settings
from styleexport.core.shares import in_shares
from styleexport.core.types import Progress
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import add_weight, argument, tensor_of
from styleexport.exporter.quantize.blocks import QuantizedBlock, nodes_by_name, phases_of
from styleexport.exporter.quantize.patches import Patches, collected_patches
from styleexport.exporter.quantize.simulate import (
    WEIGHT_LEVELS,
    rounded_weight,
    weight_scales,
)

# Of the mean diagonal, added to it: patches of smooth pictures are nearly dependent.
DAMPING = 0.01
BLOCK = 128
# Values of a palette of 4 bits, output channels that share one, and rounds of k-means.
PALETTE, PALETTE_CHANNELS, ROUNDS = 16, 16, 25


@dataclass(frozen=True)
class RoundedWeights:
    """A convolution's weight, all of whose values are on the int8 grid, and its bias."""

    weight: Tensor
    bias: Tensor | None


def round_weights(
    module: GraphModule,
    simulated: GraphModule,
    blocks: Sequence[QuantizedBlock],
    inputs: Sequence[Arrays],
    settings: Settings,
    *,
    share_phase_scales: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, RoundedWeights]:
    """Return convolution → rounded weight and bias, for all that the settings ask for.

    Grouped and transposed convolutions are left as they are.

    Args:
        module: float32.
        simulated: the same with weights and activations rounded.
        blocks: blocks computed in int8.
        inputs: calibration inputs, of which eight are used.
        settings: which of rounding and bias are corrected.
        share_phase_scales: whether channels that depth to space joins have one weight scale and
            bias.
        progress: takes a line every few seconds.
    """
    reconstruct = settings.rounding == "reconstructed"
    if not (reconstruct or settings.bias_correction):
        return {}
    by_name = nodes_by_name(module)
    plain = {
        block.layer: block
        for block in blocks
        if not block.transposed and argument(by_name[block.layer], 6, "groups", 1) == 1
    }
    patches = collected_patches(simulated, plain, inputs, progress)

    def rounded(layer: str) -> RoundedWeights:
        phases = phases_of(by_name[layer]) if share_phase_scales else 1
        return _round_block(module, by_name[layer], patches[layer], settings, phases)

    def share(layers: Iterable[str]) -> dict[str, RoundedWeights]:
        with torch.inference_mode():
            return {layer: rounded(layer) for layer in layers}

    parts = in_shares(list(plain), share, "rounding of weights", progress)
    return {layer: value for part in parts for layer, value in part.items()}


def _round_block(
    module: GraphModule, node: Node, patches: Patches, settings: Settings, phases: int
) -> RoundedWeights:
    weight = tensor_of(module, node.args[1])
    assert weight is not None
    per_channel = settings.weights == "per-channel"
    if settings.rounding == "reconstructed":
        scales = weight_scales(weight, transposed=False, per_channel=per_channel, phases=phases)
        flat, products = weight.flatten(1), patches.products / patches.count
        table = None
        if settings.weight_bits == 4:
            table = palettes(flat / scales.flatten()[:, None], products.diagonal())
        flat = reconstructed(flat, scales.flatten(), products, table)
        result = flat.reshape(weight.shape)
    else:
        result = rounded_weight(weight, transposed=False, per_channel=per_channel, phases=phases)
    bias = tensor_of(module, node.args[2]) if len(node.args) > 2 else None
    if bias is not None and settings.bias_correction:
        added = (weight - result).flatten(1) @ (patches.total / patches.count)
        # Phases that share a scale share a bias too.
        bias = bias + added.unflatten(0, (-1, phases)).mean(1).repeat_interleave(phases)
    return RoundedWeights(result.clone(), bias)


def palettes(steps: Tensor, worth: Tensor) -> Tensor:
    """Return the 16 whole steps that each row's weights may take, [M, 16] in -127..127, rising.

    Rows of one group (`palette_groups`) have the same.

    Args:
        steps: weights in steps of their row, [M, K].
        worth: weight of each column's squared error, [K].
    """
    rows: list[Tensor] = []
    ends = torch.tensor([-float(WEIGHT_LEVELS), float(WEIGHT_LEVELS)])
    for group in steps.chunk(palette_groups(len(steps))):
        values, order = group.flatten().sort()
        mass = worth.clamp_min(1e-12).expand_as(group).flatten()[order].double()
        share = (torch.arange(PALETTE - 2) + 0.5) / (PALETTE - 2)
        inner = values[(share * len(values)).long()]
        for _ in range(ROUNDS):
            table = torch.cat([ends[:1], inner, ends[1:]])
            nearest = torch.bucketize(values, (table[1:] + table[:-1]) / 2)
            total = torch.zeros(PALETTE, dtype=torch.float64).index_add(0, nearest, mass)
            moment = torch.zeros_like(total).index_add(0, nearest, mass * values)
            means = torch.where(total > 0, moment / total, table.double()).float()
            inner = means[1:-1].sort().values
        rows.append(torch.cat([ends[:1], inner.round(), ends[1:]]).expand(len(group), -1))
    return torch.cat(rows)


def palette_groups(channels: int) -> int:
    """Return how many palettes a weight of so many output channels has."""
    return channels // PALETTE_CHANNELS if channels % PALETTE_CHANNELS == 0 else 1


def reconstructed(
    weight: Tensor, scales: Tensor, products: Tensor, table: Tensor | None = None
) -> Tensor:
    """Return a weight matrix on its int8 grid that loses little of its product with patches.

    Args:
        weight: [M, K].
        scales: steps of the grid, [M] or [1].
        products: the mean of xxᵀ over patches x, [K, K].
        table: steps that each row may take, [M, number]; None for all of int8.
    """
    size = len(products)
    damped = products.double() + torch.eye(size, dtype=torch.float64) * (
        DAMPING * products.diagonal().mean().clamp_min(1e-12)
    )
    inverse = torch.linalg.cholesky(
        torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True
    )
    inverse = inverse.float()
    rest, result = weight.clone(), torch.empty_like(weight)
    whole = scales.expand(len(weight))
    largest = weight.abs().argmax(1)
    fixed = weight.sign() * WEIGHT_LEVELS * whole[:, None]
    # Rows that share a scale: only the largest weight of all of them is kept.
    full = weight.abs().amax(1) >= (WEIGHT_LEVELS - 0.01) * whole
    largest = torch.where(full, largest, -1)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        errors = torch.zeros(len(weight), stop - start)
        for column in range(start, stop):
            value = rest[:, column]
            steps = _nearest(value / whole, table)
            rounded = torch.where(largest == column, fixed[:, column], steps * whole)
            result[:, column] = rounded
            error = (value - rounded) / inverse[column, column]
            rest[:, column:stop] -= error[:, None] * inverse[column, column:stop]
            errors[:, column - start] = error
        rest[:, stop:] -= errors @ inverse[start:stop, stop:]
    return result


def _nearest(steps: Tensor, table: Tensor | None) -> Tensor:
    """Return the nearest step of each row, [M], that its table has, or that int8 has."""
    if table is None:
        return steps.round().clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS)
    return table.gather(1, (table - steps[:, None]).abs().argmin(1, keepdim=True))[:, 0]


def with_weights(graph: Graph, weights: Mapping[str, RoundedWeights]) -> Graph:
    """Return the graph with other weights and biases in some of its convolutions."""
    if not weights:
        return graph
    module = graph.module()
    by_name = nodes_by_name(module)
    with torch.no_grad():
        for layer, value in weights.items():
            node = by_name[layer]
            for position, new in ((1, value.weight), (2, value.bias)):
                if new is not None:
                    node.update_arg(position, add_weight(module, node, new))
    module.graph.eliminate_dead_code()
    module.recompile()
    return graph.with_module(module)
