"""Forecast of what a graph's operations reach in float16, partial sums in any order included.

A convolution adds up terms w·x. What a running sum passes through depends on the order, which
differs from kernel to kernel, and the order of none is documented. With P the sum of the positive
terms and -N that of the negative ones, the bias among them, every partial sum in every order lies
in [-N, P]. From the result y = P - N and from S = P + N = Σ|w|·|x| + |b|:

    max(P, N) = (S + |y|) / 2

S is one more convolution, of |x| with |w|. It is computed only where Σ_c max|x_c|·Σ|w_c|, which
costs nothing, leaves the range: in most networks nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from styleexport.core.arrays import Arrays
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import argument

# Operations that add up products: their first argument, or the first two, are what is multiplied.
SUMS_OF_PRODUCTS = ("conv2d", "conv_transpose2d", "linear", "matmul", "bmm", "mm")


@dataclass(frozen=True)
class Reach:
    """The largest magnitudes of an operation.

    Attributes:
        value: of its results.
        sums: of its partial sums in any order, or a bound of it; 0 where it has none.
    """

    value: float
    sums: float = 0.0

    @property
    def all(self) -> float:
        """The largest of both."""
        return max(self.value, self.sums)

    def __or__(self, other: Reach) -> Reach:
        return Reach(max(self.value, other.value), max(self.sums, other.sums))


def forecast(module: GraphModule, inputs: Sequence[Arrays], limit: float) -> Mapping[str, Reach]:
    """Return operation → what it reaches, over all inputs.

    Args:
        module: float32, in evaluation.
        inputs: inputs by name, in the module's order.
        limit: partial sums are computed only where a bound does not keep them below it.
    """
    measure = _Measure(module, limit)
    with torch.inference_mode():
        for values in inputs:
            measure.run(*(torch.from_numpy(value) for value in values.values()))
    return measure.reached


class _Measure(Interpreter):
    """Notes what each operation reaches."""

    def __init__(self, module: GraphModule, limit: float) -> None:
        super().__init__(module)
        self.limit = limit
        self.reached: dict[str, Reach] = {}
        self.weights: dict[str, Tensor] = {}

    def run_node(self, n: Node) -> Any:  # noqa: ANN401
        value = super().run_node(n)
        if isinstance(value, Tensor) and value.is_floating_point() and n.op != "get_attr":
            sums = self._sums(n, value) if operation_of(n) in SUMS_OF_PRODUCTS else 0.0
            known = self.reached.get(n.name, Reach(0.0))
            self.reached[n.name] = known | Reach(largest(value), sums)
        return value

    def _sums(self, node: Node, value: Tensor) -> float:
        """Return what the partial sums of an operation reach, by the bound where that suffices."""
        args, kwargs = self.fetch_args_kwargs_from_env(node)
        bound = self._bound(node, args)
        if bound is not None and bound <= self.limit:
            return bound
        magnitudes = [x.abs() if isinstance(x, Tensor) else x for x in args]
        total = getattr(self, node.op)(node.target, tuple(magnitudes), kwargs)
        return largest((total + value.abs()) / 2)

    def _bound(self, node: Node, args: tuple[Any, ...]) -> float | None:
        """Return Σ_c max|x_c|·Σ|w_c| + |b| of the largest output channel; None where it is none."""
        x, weight = args[0], args[1]
        if operation_of(node) != "conv2d" or argument(node, 6, "groups", 1) != 1:
            return None
        if node.name not in self.weights:
            self.weights[node.name] = weight.abs().sum((2, 3))
        channels = largest_by_channel(x)
        sums = self.weights[node.name] @ channels
        bias = args[2] if len(args) > 2 else None
        return float((sums + bias.abs() if isinstance(bias, Tensor) else sums).max())


def largest(value: Tensor) -> float:
    """Return the largest |x| of a tensor; infinite where it holds what is no number."""
    if not value.numel():
        return 0.0
    magnitude = float(torch.maximum(value.amax(), -value.amin()))
    return magnitude if magnitude == magnitude else float("inf")


def largest_by_channel(value: Tensor) -> Tensor:
    """Return the largest |x| of each channel, [C], of maps [N, C, H, W]."""
    # Over one axis without a copy of |x|: seven times as fast as amax over three.
    flat = value.transpose(0, 1).flatten(1)
    return torch.maximum(flat.amax(1), -flat.amin(1))
