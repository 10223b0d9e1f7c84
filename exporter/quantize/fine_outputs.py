"""Convolutions that had better give more than 8 bits: where rounding costs most for its price.

Rounding a tensor to steps of Δ adds noise of variance Δ²/12 to each of its values. To first order
it reaches the picture through the Jacobian J of all that follows, as Δ²/12·‖J‖². One backward pass
from random signs v at the picture gives ‖Jᵀv‖² for every tensor at once, whose mean over v is ‖J‖²
(Hutchinson 1990, "A stochastic estimator of the trace of the influence matrix"). So a few runs tell
what each rounded output costs the picture, and which of its values cost it.

An output whose range is cut into segments (see `segments`) has steps of its own in each. Of all
cuts into n, that loses least whose segments hold equal shares of the cube root of the density of
cost (Panter and Dite 1951, "Quantization distortion in pulse-count modulation with nonuniform
spacing of levels"): narrow ones where values are many or matter, wide ones for rare extremes.

Segments are given out one by one, each to the output that wins most for the time it takes, until
the picture is as good as wanted or the time is spent.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from styleexport.core.arrays import Arrays
from styleexport.core.counted import counted
from styleexport.core.recipe import Range
from styleexport.core.types import Progress
from styleexport.exporter.quantize.blocks import KERNEL, QuantizedBlock, elements, nodes_by_name
from styleexport.exporter.quantize.simulate import LEVELS
from styleexport.exporter.rewrites.choices import INTEGERS

# Calibration inputs that noise is measured on, evenly taken.
INPUTS = 4
# A picture with this much noise from rounding is good enough, in decibels of PSNR.
WANTED_DB = 41.0
# More time that segments may take, as a share of what all blocks take.
MOST_TIME = 0.3
MOST_SEGMENTS = 8
# What a normalisation or a tanh amplifies is computed in integers where the rounding of what the
# convolution reads and gives, in the most segments, alone leaves the picture this good.
AMPLIFIED_DB = 44.0
# That one more segment is to win.
LEAST_GAIN_DB = 0.05
SMALLEST = 1e-30
# Bins of a range, and the share of all cost that is taken to lie evenly over them: other pictures
# have other values.
BINS, FLOOR = 512, 0.02
MACS_A_VALUE = INTEGERS["onnx"].macs_a_value
# How often a value that comes in segments is moved: dequantized, cut out and added.
MOVES = 3


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


@dataclass(frozen=True)
class Cost:
    """What rounding a tensor costs the picture, by value.

    Attributes:
        limits: range of the tensor.
        squares: [inputs, bins]: sum of squared gradients of the values in each bin of the range, by
            the number of values of the picture.
    """

    limits: Range
    squares: NDArray[np.float64]

    def noise(self, bounds: Sequence[float] = ()) -> NDArray[np.float64]:
        """Return the mean squared error of the picture, an input each.

        Args:
            bounds: between segments, rising; () for one segment.
        """
        edges = np.array([self.limits.low, *bounds, self.limits.high])
        inner = np.linspace(self.limits.low, self.limits.high, BINS + 1)
        places = np.searchsorted(edges, (inner[1:] + inner[:-1]) / 2) - 1
        steps = np.diff(edges)[places.clip(0, len(edges) - 2)] / LEVELS
        return (self.squares * steps**2).sum(1) / 12

    def bounds(self, count: int) -> tuple[float, ...]:
        """Return the bounds between segments that cost least together; see above."""
        shares = self.squares / self.squares.sum(1, keepdims=True).clip(SMALLEST)
        density = np.cbrt(shares.mean(0) + FLOOR / BINS)
        filled = np.concatenate([[0.0], np.cumsum(density)]) / density.sum()
        inner = np.linspace(self.limits.low, self.limits.high, BINS + 1)
        return tuple(
            float(np.float32(x)) for x in np.interp(np.arange(1, count) / count, filled, inner)
        )


def rounding_costs(
    module: GraphModule,
    ranges: Mapping[str, Range],
    inputs: Sequence[Arrays],
    progress: Progress = lambda _: None,
) -> dict[str, Cost]:
    """Return layer → what rounding it alone costs.

    Args:
        module: captured module, float32, whose first output is a picture in 0..1, or a code.
        ranges: layer → range that steps are spread over.
        inputs: calibration inputs, in the module's order.
        progress: takes a line every second.
    """
    generator = torch.Generator().manual_seed(0)
    count = min(INPUTS, len(inputs))
    found = {name: np.zeros((count, BINS)) for name in ranges}
    chosen = list(enumerate(np.linspace(0, len(inputs) - 1, count)))
    for number, place in counted(chosen, "costs of rounding", progress):
        values = inputs[round(place)]
        watcher = _Values(module, set(ranges))
        with torch.enable_grad():
            output = watcher.run(*(torch.from_numpy(np.array(x)) for x in values.values()))
            picture = output[0] if isinstance(output, tuple | list) else output
            signs = torch.randint(0, 2, picture.shape, generator=generator) * 2.0 - 1
            (picture * signs).sum().backward()
        for name, value in watcher.kept.items():
            if value.grad is not None:
                low, high = ranges[name].low, max(ranges[name].high, ranges[name].low + SMALLEST)
                places = ((value.detach() - low) * (BINS / (high - low))).long().clamp(0, BINS - 1)
                squares = value.grad.square().flatten().double()
                summed = torch.bincount(places.flatten(), squares, BINS).numpy()
                found[name][number] = summed / picture.numel()
    return {name: Cost(ranges[name], squares) for name, squares in found.items()}


def too_coarse(
    costs: Mapping[str, Cost], blocks: Sequence[QuantizedBlock], amplified: Collection[str]
) -> set[str]:
    """Return the amplified convolutions whose rounding, in integers, would spoil the picture.

    Args:
        costs: layer → cost of its rounding.
        blocks: blocks that are to be computed in int8.
        amplified: convolutions whose output is amplified on its way to the picture.
    """
    found: set[str] = set()
    for block in blocks:
        if block.layer in amplified:
            output = costs[block.output]
            finest = output.noise(output.bounds(MOST_SEGMENTS)) + costs[block.source].noise()
            if float(np.mean(-10 * np.log10(finest + SMALLEST))) < AMPLIFIED_DB:
                found.add(block.layer)
    return found


def choose_segments(
    module: GraphModule, blocks: Sequence[QuantizedBlock], costs: Mapping[str, Cost]
) -> dict[str, tuple[float, ...]]:
    """Return convolution → bounds between the segments of its output, where it gets more than one.

    Args:
        module: captured module, float32, as its blocks are quantized.
        blocks: blocks that are computed in int8.
        costs: layer → cost of its rounding, of all sources and outputs.
    """
    nodes = nodes_by_name(module)
    # What only convolutions read is a source of theirs, rounded once in all.
    sources = {block.source for block in blocks}
    fixed = sum(costs[name].noise() for name in sources) + SMALLEST
    able = {
        block.layer: _Open(block, nodes, costs[block.output])
        for block in blocks
        if block.output not in sources
    }
    chosen = dict.fromkeys(able, 1)

    def loss_db(more: str = "") -> float:
        """Return minus the PSNR, the mean over inputs, with one more segment of a layer."""
        noises = (item.noise(chosen[layer] + (layer == more)) for layer, item in able.items())
        return float(np.mean(10 * np.log10(fixed + sum(noises))))

    left = MOST_TIME * sum(
        block.macs + MACS_A_VALUE * elements(nodes[block.output]) for block in blocks
    )
    while (now := loss_db()) > -WANTED_DB:
        prices = {layer: able[layer].price(chosen[layer]) for layer in able}
        gains = {
            layer: now - loss_db(layer)
            for layer in able
            if chosen[layer] < MOST_SEGMENTS and prices[layer] <= left
        }
        worth = [layer for layer, gain in gains.items() if gain > LEAST_GAIN_DB]
        if not worth:
            break
        best = max(worth, key=lambda layer: gains[layer] / prices[layer])
        left -= prices[best]
        chosen[best] += 1
    return {layer: able[layer].bounds(n) for layer, n in chosen.items() if n > 1}


class _Open:
    """A block whose output may come in segments."""

    def __init__(self, block: QuantizedBlock, nodes: Mapping[str, Node], cost: Cost) -> None:
        self.macs, self.cost = block.macs, cost
        self.channels: int = nodes[block.layer].meta["val"].shape[1]
        self.moved = MOVES * MACS_A_VALUE * elements(nodes[block.output])
        self.bounds = functools.cache(cost.bounds)
        self.noise = functools.cache(lambda count: cost.noise(self.bounds(count)))

    def price(self, count: int) -> float:
        """Return the multiplications, or as much time, that one more segment takes."""
        now, then = (-(-self.channels * n // KERNEL) * KERNEL for n in (count, count + 1))
        return self.macs * (then - now) / self.channels + self.moved
