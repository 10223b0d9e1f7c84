"""Convolutions that had better give more than 8 bits: where rounding costs most for its price.

Rounding a tensor to steps of Δ adds noise of variance Δ²/12 to each of its values. To first order
it reaches the picture through the Jacobian J of all that follows, as Δ²/12·‖J‖². One backward pass
from random signs v at the picture gives ‖Jᵀv‖² for every tensor at once, whose mean over v is ‖J‖²
(Hutchinson 1990, "A stochastic estimator of the trace of the influence matrix"). So a few runs tell
what each rounded output costs the picture, and cutting its range into n segments (see `segments`)
divides that by n².

Segments are given out one by one, each to the output that wins most for the time it takes, until
the picture is as good as wanted or the time is spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from styleexport.core.arrays import Arrays
from styleexport.core.recipe import Range
from styleexport.exporter.quantize.blocks import QuantizedBlock, elements, nodes_by_name
from styleexport.exporter.quantize.simulate import scale_and_zero_point

# Calibration inputs that noise is measured on, evenly taken.
INPUTS = 4
# A picture with this much noise from rounding is good enough, in decibels of PSNR.
WANTED_DB = 41.0
# More time that segments may take, as a share of what all blocks take.
MOST_TIME = 0.15
MOST_SEGMENTS = 8
# Segments of what a normalisation or a tanh amplifies, at least.
AMPLIFIED_SEGMENTS = 4
# That one more segment is to win.
LEAST_GAIN_DB = 0.05
SMALLEST = 1e-30
# Output channels that a kernel of integer products computes at once.
KERNEL = 16
# Multiplications in the time in which one value of a map is moved, and how often a value that comes
# in segments is: dequantized, cut out and added.
MACS_A_VALUE, MOVES = 150, 3


class _Values(Interpreter):
    """Runs a module and keeps the values of some of its nodes, with their gradients."""

    def __init__(self, module: GraphModule, names: set[str]) -> None:
        super().__init__(module)
        self.names, self.kept = names, dict[str, Tensor]()

    def run_node(self, n: Node) -> Any:  # noqa: ANN401 - any value of a graph
        value = super().run_node(n)
        if n.name in self.names and isinstance(value, Tensor):
            value = value.requires_grad_() if not value.requires_grad else value
            value.retain_grad()
            self.kept[n.name] = value
        return value


def rounding_noise(
    module: GraphModule, ranges: Mapping[str, Range], inputs: Sequence[Arrays]
) -> dict[str, NDArray[np.float64]]:
    """Return layer → mean squared error of the picture when it alone is rounded, an input each.

    Args:
        module: captured module, float32, whose first output is a picture in 0..1, or a code.
        ranges: layer → range that 255 steps are spread over.
        inputs: calibration inputs, in the module's order.
    """
    generator = torch.Generator().manual_seed(0)
    count = min(INPUTS, len(inputs))
    found = {name: np.zeros(count) for name in ranges}
    for number, place in enumerate(np.linspace(0, len(inputs) - 1, count)):
        values = inputs[round(place)]
        watcher = _Values(module, set(ranges))
        with torch.enable_grad():
            output = watcher.run(*(torch.from_numpy(np.array(x)) for x in values.values()))
            picture = output[0] if isinstance(output, tuple | list) else output
            signs = torch.randint(0, 2, picture.shape, generator=generator) * 2.0 - 1
            (picture * signs).sum().backward()
        for name, value in watcher.kept.items():
            if value.grad is not None:
                step, _ = scale_and_zero_point(ranges[name])
                noise = step**2 / 12 * float(value.grad.double().square().sum())
                found[name][number] = noise / picture.numel()
    return found


def choose_segments(
    module: GraphModule,
    blocks: Sequence[QuantizedBlock],
    ranges: Mapping[str, Range],
    inputs: Sequence[Arrays],
    least: Mapping[str, int],
) -> dict[str, int]:
    """Return convolution → number of segments of its output, for those that get more than one.

    Args:
        module: captured module, float32, as its blocks are quantized.
        blocks: blocks that are computed in int8.
        ranges: layer → range, of all sources and outputs.
        inputs: calibration inputs.
        least: convolution → segments that it gets in any case.
    """
    noise = rounding_noise(module, ranges, inputs)
    nodes = nodes_by_name(module)
    # What only convolutions read is a source of theirs, rounded once in all.
    sources = {block.source for block in blocks}
    open_blocks = {block.layer: block for block in blocks if block.output not in sources}
    chosen = {block.layer: least.get(block.layer, 1) for block in blocks}
    fixed = sum(noise[name] for name in sources) + SMALLEST

    def price(layer: str) -> float:
        block, node = open_blocks[layer], nodes[open_blocks[layer].layer]
        channels = node.meta["val"].shape[1]
        now, then = (
            -(-channels * n // KERNEL) * KERNEL for n in (chosen[layer], chosen[layer] + 1)
        )
        values = MOVES * MACS_A_VALUE * elements(nodes[block.output])
        return block.macs * (then - now) / channels + values

    def loss_db(more: str = "") -> float:
        """Return minus the PSNR, the mean over inputs, with one more segment of a layer."""
        noises = (
            noise[block.output] / (chosen[layer] + (layer == more)) ** 2
            for layer, block in open_blocks.items()
        )
        return float(np.mean(10 * np.log10(fixed + sum(noises))))

    left = MOST_TIME * sum(
        block.macs + MACS_A_VALUE * elements(nodes[block.output]) for block in blocks
    )
    while (now := loss_db()) > -WANTED_DB:
        gains = {
            layer: now - loss_db(layer)
            for layer in open_blocks
            if chosen[layer] < MOST_SEGMENTS and price(layer) <= left
        }
        able = [layer for layer, gain in gains.items() if gain > LEAST_GAIN_DB]
        if not able:
            break
        best = max(able, key=lambda layer: gains[layer] / price(layer))
        left -= price(best)
        chosen[best] += 1
    return {layer: count for layer, count in chosen.items() if count > 1}
