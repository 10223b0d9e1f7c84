"""Statistics that stay inside float16, on any hardware and at any size.

A mean over a feature map adds H·W values, a variance their squares; both pass 65504, the largest
float16, with trained weights: a 512x512 map of value 1 sums to 262144. Whether a runtime
accumulates in float32 differs from chip to chip, so nothing here depends on it. Three rewrites,
exact in real numbers:

- Norms and variances become their definition: μ = mean(x), c = x - μ, v = mean(c²),
  σ = √(v + ε), y = c·(γ/σ) + β.
- Each channel's domain is scaled by a power of two k, taken from the activations measured:
  μ(x) = μ(kx)/k, σ(x) = √(v(kx) + k²ε)/k, c·a/σ = c(kx)·a/σ(kx). The scales meet again in tensors
  of one element a channel; a convolution in front of a norm takes its k into its weights.
- A mean runs along the width, then along the height, so that a sum has one row's terms.

With |kx| at most T, a row of squares sums to at most W·(2T)²: T = √(32768/W)/2 keeps it at half of
the float16 range. The scaled variance is held at 2⁻¹⁴, the smallest normal float16, or more: where
hardware flushes smaller values to zero, a flat channel would divide zero by zero. That differs from
the network only where a channel's σ is below 0.2 % of its usual largest value.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.float16 import SMALLEST_NORMAL
from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, apply_passes
from styleexport.exporter.rewrites.spatial_means import expand_norms, is_spatial_mean

aten = torch.ops.aten
LARGEST_ROW = 32768.0
# √2⁻¹⁴ over this is the smallest normal float16 again.
LARGEST_SCALE = 2.0**7
MOST_INPUTS = 8
ROOTS = (aten.sqrt.default, aten.rsqrt.default)


def within_half_range(graph: Graph, inputs: Sequence[Arrays]) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the graph with float16-safe statistics, and what was rewritten.

    Args:
        graph: float32.
        inputs: inputs by name that show how large its activations become.
    """
    expanded, facts = apply_passes(graph, (Pass("expand-norms", 0, expand_norms),))
    module = expanded.reading
    means = {n.args[0].name for n in module.graph.nodes if is_spatial_mean(n)}  # pyright: ignore
    scales = scales_of(expanded, module, means, inputs)
    # Proven on a real picture: in random ones, channels may be flatter than 0.2 % of their usual.
    example = [torch.from_numpy(inputs[0][fact.name]) for fact in graph.inputs]
    scale = Pass("scale-statistics", 1, lambda module: scale_statistics(module, scales))
    scaled, more = apply_passes(expanded, (scale,), example)
    return scaled, (*facts, *more)


def scales_of(
    graph: Graph, module: GraphModule, nodes: Collection[str], inputs: Sequence[Arrays]
) -> dict[str, Tensor]:
    """Return map → the power of two for each channel that keeps its squares inside float16.

    Args:
        graph: float32.
        module: the graph with its statistics written out.
        nodes: names of maps.
        inputs: inputs by name that show how large they become.
    """
    shown = inputs[:: max(1, len(inputs) // MOST_INPUTS)]
    width = max((size.width for size in graph.sizes), default=graph.size.width)
    top = math.sqrt(LARGEST_ROW / width) / 2
    largest = _largest_by_channel(module, nodes, shown)
    return {name: _power_of_two(top, value) for name, value in largest.items()}


def _power_of_two(top: float, largest: Tensor) -> Tensor:
    """Return, for each channel, the power of two that brings its largest value below ``top``."""
    exponent = torch.floor(torch.log2(top / largest.double().clamp_min(1e-30)))
    return torch.exp2(exponent).clamp_max(LARGEST_SCALE)


def _largest_by_channel(
    module: GraphModule, names: Collection[str], inputs: Sequence[Arrays]
) -> dict[str, Tensor]:
    """Return map → the largest |x| of each channel, [1, C, 1, 1]."""
    found: dict[str, Tensor] = {}

    class Measure(torch.fx.Interpreter):
        """Notes the range of some maps."""

        def run_node(self, n: Node) -> object:
            value = super().run_node(n)
            if n.name in names and isinstance(value, Tensor):
                # Over one axis without a copy of |x|: seven times as fast as amax over three.
                flat = value.transpose(0, 1).flatten(1)
                largest = torch.maximum(flat.amax(1), -flat.amin(1)).reshape(1, -1, 1, 1)
                found[n.name] = torch.maximum(largest, found.get(n.name, largest))
            return value

    with torch.inference_mode():
        for values in inputs:
            Measure(module).run(*(torch.from_numpy(value) for value in values.values()))
    return found


def scale_variance(module: GraphModule, variance: Node, scaled: Node, scale: Tensor) -> None:
    """Compute roots of a variance from that of the scaled map, in place.

    Args:
        module: graph of both nodes.
        variance: v, the variance of a map x; other readers than roots keep it.
        scaled: k²·v, the variance of k·x.
        scale: k, a power of two for each channel, [1, C, 1, 1].
    """
    _Group(module, variance, scale).follow(variance, scaled)


def scale_statistics(module: GraphModule, scales: dict[str, Tensor]) -> Outcome:
    """Scale every spatial mean's domain, and what follows from it."""
    means = {node: node.args[0] for node in module.graph.nodes if is_spatial_mean(node)}
    chosen = {mean: scales[x.name] for mean, x in means.items() if not _is_square(x)}  # pyright: ignore
    for mean, scale in chosen.items():
        _Group(module, mean, scale).rewrite()
    module.graph.eliminate_dead_code()
    left = [node.name for node in module.graph.nodes if is_spatial_mean(node)]
    refused = [f"{name} averages squares that are not those of a centred map" for name in left]
    return Outcome(len(chosen), tuple(refused))


class _Group:
    """One mean and the centred map, variance and deviation that are built on it."""

    def __init__(self, module: GraphModule, mean: Node, scale: Tensor) -> None:
        self.module = module
        self.mean = mean
        self.scale = scale
        self.call = module.graph.call_function

    def _after(self, node: Node, function: object, *arguments: object) -> Node:
        with self.module.graph.inserting_after(node):
            return self.call(function, arguments)  # pyright: ignore

    def _times(self, node: Node, factor: Tensor) -> Node:
        weight = add_weight(self.module, node, factor)
        return self._after(node, aten.mul.Tensor, node, weight)

    def _mean(self, node: Node) -> Node:
        rows = self._after(node, aten.mean.dim, node, [3], True)
        return self._after(rows, aten.mean.dim, rows, [2], True)

    def rewrite(self) -> None:
        """Rewrite the group in place."""
        x = self.mean.args[0]
        assert isinstance(x, Node)
        scaled = self._times(x, self.scale)
        mean = self._mean(scaled)
        for user in list(self.mean.users):
            if user.target is aten.sub.Tensor and user.args[:2] == (x, self.mean):
                self._centred(user, scaled, mean)
        if self.mean.users:
            self.mean.replace_all_uses_with(self._times(mean, 1 / self.scale))

    def _centred(self, old: Node, scaled: Node, mean: Node) -> None:
        """Move the readers of x - mean(x) to k·(x - mean(x))."""
        centred = self._after(mean, aten.sub.Tensor, scaled, mean)
        for user in list(old.users):
            if user.target is aten.mul.Tensor and user.args[:2] == (old, old):
                self._square(user, centred)
            elif user.target is aten.mul.Tensor and _is_small(_other(user, old)):
                ratio = _other(user, old)
                assert isinstance(ratio, Node)
                with self.module.graph.inserting_before(user):
                    weight = add_weight(self.module, user, 1 / self.scale)
                    ratio = self.call(aten.mul.Tensor, (ratio, weight))
                user.args = (centred, ratio)
        if old.users:
            old.replace_all_uses_with(self._times(centred, 1 / self.scale))

    def _square(self, old: Node, centred: Node) -> None:
        """Move the readers of the variance to that of the scaled map."""
        square = self._after(centred, aten.mul.Tensor, centred, centred)
        variance = self._mean(square)
        for user in list(old.users):
            if is_spatial_mean(user):
                self.follow(user, variance)
                if user.users:
                    user.replace_all_uses_with(self._times(variance, self.scale**-2))

    def follow(self, old: Node, variance: Node) -> None:
        """Follow variance → ·n/(n-1) → +ε → √ to the deviation, and divide that by k."""
        for user in list(old.users):
            factor = _scalar_operand(user, old)
            if user.target in (aten.mul.Tensor, aten.mul.Scalar) and factor is not None:
                self.follow(user, self._after(variance, aten.mul.Tensor, variance, factor))
                if user.users:
                    last = self._after(variance, aten.mul.Tensor, variance, factor)
                    user.replace_all_uses_with(self._times(last, self.scale**-2))
            elif user.target in (aten.add.Tensor, aten.add.Scalar) and factor is not None:
                shifted = self._times_added(variance, factor)
                self._roots(user, shifted)
                if user.users:
                    user.replace_all_uses_with(self._times(shifted, self.scale**-2))
            elif user.target in ROOTS:
                self._roots(old, variance)

    def _times_added(self, variance: Node, eps: float) -> Node:
        weight = add_weight(self.module, variance, eps * self.scale**2)
        return self._after(variance, aten.add.Tensor, variance, weight)

    def _roots(self, old: Node, variance: Node) -> None:
        for root in list(old.users):
            if root.target in ROOTS:
                held = self._after(variance, aten.clamp_min.default, variance, SMALLEST_NORMAL)
                taken = self._after(held, root.target, held)
                inverse = root.target is aten.rsqrt.default
                back = self.scale if inverse else 1 / self.scale
                root.replace_all_uses_with(self._times(taken, back))


def _other(node: Node, known: Node) -> object:
    """Return the operand of a product that is not ``known``."""
    first, second = node.args[:2]
    return second if first is known else first


def _is_small(value: object) -> bool:
    """Whether a node holds one element a channel."""
    if not isinstance(value, Node) or not isinstance(value.meta.get("val"), Tensor):
        return False
    shape = value.meta["val"].shape
    return len(shape) == 4 and tuple(shape[2:]) == (1, 1)


def _is_square(value: object) -> bool:
    """Whether a node multiplies something with itself."""
    if not isinstance(value, Node) or value.target is not aten.mul.Tensor:
        return False
    return value.args[0] is value.args[1]


def _scalar_operand(node: Node, known: Node) -> float | None:
    """Return the number that a node multiplies with or adds to ``known``, None if there is none."""
    if len(node.args) < 2 or known not in node.args[:2]:
        return None
    value = _other(node, known)
    return float(value) if isinstance(value, int | float) else None
