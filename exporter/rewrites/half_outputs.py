"""Convolutions whose results and running sums stay inside float16, on any hardware.

Phones' GPUs compute a file in float16, sums of products included; these pass 65504, the largest
float16, in networks that work on values of 0..255 or whose features were never normalised. What is
infinite once is infinite, or no number, in the picture.

What each operation reaches is forecast from activations that were measured on calibration inputs,
partial sums in any order included (`running_sums`). Where twice that leaves the range, the layer's
weights and bias are multiplied by a power of two, 2^-k, and all values that follow are, up to the
next constants that take it back: the weights of the next convolution, the ε of a norm (`shifts`).
Nothing is rounded: in float32 the outputs are the same bits, which is checked, and in float64 the
proof is that of all passes. Where nothing takes the factor back, one multiplication does; a value
that is out of range there in any case is named.

Weights may be too small for float16 as well: those behind values of 10^4 are 10^-4, and GPUs flush
what is below 2^-14 to zero. A layer whose largest weight is below 2^-8 gets its input scaled, and
with it its weights, as far as that leaves the input a range.

Means, variances and their squares are left to `half_range`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.graph.rewrite import Outcome, Pass, apply_passes, tensor_of
from styleexport.exporter.rewrites.running_sums import SUMS_OF_PRODUCTS, Reach, forecast
from styleexport.exporter.rewrites.shift_regions import LAYERS, Regions
from styleexport.exporter.rewrites.shifts import Shifter

NAME = "scale-outputs"
# Other pictures may reach twice what the calibration inputs do.
MARGIN = 2.0
MOST_INPUTS = 4
# A layer's largest weight should be no smaller, and its input's largest value neither.
SMALL_WEIGHT = 2.0**-8
SMALL_INPUT = 16.0
# Their results are statistics, small, or both.
STATISTICS = ("mean", "sum", "var", "std", "var_mean", "std_mean", "pow", "square", "sqrt", "rsqrt")


def with_outputs_in_half_range(
    graph: Graph, inputs: Sequence[Arrays]
) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the graph with what would leave float16 scaled by powers of two, and what was.

    A graph that stays inside the range is returned as it is, without a fact.

    Args:
        graph: float32.
        inputs: inputs by name that show how large its activations become.
    """
    shown = inputs[:: max(1, len(inputs) // MOST_INPUTS)][:MOST_INPUTS]
    limit = LARGEST_FLOAT16 / MARGIN
    reached = forecast(graph.reading, shown, limit)
    needs = [
        *_for_outputs(graph.reading, reached, limit),
        *_for_weights(graph.reading, reached),
    ]
    if not needs:
        return graph, ()

    def rewrite(module: GraphModule) -> Outcome:
        need: dict[str, int] = {}
        for item in needs:
            need[item.name] = min(item.shift, need.get(item.name, 0))
        shifter = Shifter(Regions(module, need))
        shifter.run()
        return Outcome(
            len(shifter.shifted) + len(shifter.multiplied),
            tuple(_unreachable(shifter, reached)),
            tuple(_reasons(shifter, needs)),
        )

    example = [torch.from_numpy(shown[0][fact.name]) for fact in graph.inputs]
    scaled, (fact,) = apply_passes(graph, (Pass(NAME, 0, rewrite),), example)
    if fact.applied and not _same_bits(graph, scaled, example):
        refused = (*fact.refused, "not exact here: float32 outputs differ in their bits")
        return graph, (PassFact(name=NAME, applied=0, refused=refused),)
    return (scaled if fact.applied else graph), (fact,)


@dataclass(frozen=True)
class _Need:
    """A value that is to be scaled.

    Attributes:
        name: operation that computes it.
        shift: the largest power of two that will do, as its exponent, negative.
        reason: why; "" where another value's reason is this one's too.
    """

    name: str
    shift: int
    reason: str


def _for_outputs(
    module: GraphModule, reached: Mapping[str, Reach], limit: float
) -> Iterator[_Need]:
    """Yield the values that would leave float16."""
    shifts: dict[Node, int] = {}
    for node in module.graph.nodes:
        reach = reached.get(node.name)
        if reach is None or not _counts(node) or not limit < reach.all < math.inf:
            continue
        shifts[node] = shift = math.floor(math.log2(limit / reach.all))
        ahead = min((shifts.get(x, 0) for x in node.all_input_nodes), default=0)
        explained = operation_of(node) not in SUMS_OF_PRODUCTS and shift >= ahead
        reason = f"{_magnitude(reach)} on calibration inputs; twice that stays below 65,504"
        yield _Need(node.name, shift, "" if explained else f"{node.name}: {reason} at 2^{shift}")


def _for_weights(module: GraphModule, reached: Mapping[str, Reach]) -> Iterator[_Need]:
    """Yield the inputs of layers whose weights would be too small for float16."""
    for node in module.graph.nodes:
        weight = tensor_of(module, node.args[1]) if operation_of(node) in LAYERS else None
        data = node.args[0] if node.args else None
        if weight is None or not isinstance(data, Node) or data.name not in reached:
            continue
        largest, value = float(weight.abs().max()), reached[data.name].value
        if not (0 < largest < SMALL_WEIGHT and SMALL_INPUT < value < math.inf):
            continue
        needed = math.ceil(math.log2(SMALL_WEIGHT / largest))
        shift = -min(needed, math.floor(math.log2(value / SMALL_INPUT)))
        if shift:
            reason = f"weights of {largest:.1e} at most, for values of up to {value:,.0f}"
            yield _Need(data.name, shift, f"{node.name}: {reason}: these at 2^{shift}")


def _counts(node: Node) -> bool:
    """Whether an operation's range is this pass's: a layer's, a product's, or that of a map."""
    name = operation_of(node)
    if name in SUMS_OF_PRODUCTS:
        return True
    value = node.meta.get("val")
    if name in STATISTICS or not isinstance(value, Tensor) or value.dim() != 4:
        return False
    square = name == "mul" and node.args[0] is node.args[1]
    return node.op == "call_function" and not square and tuple(value.shape[2:]) != (1, 1)


def _reasons(shifter: Shifter, needs: Sequence[_Need]) -> list[str]:
    """Return why values are scaled, then what was scaled by how much."""
    lines = [need.reason for need in needs if need.reason]
    scaled = ", ".join(f"{name} by 2^{shift}" for name, shift in shifter.shifted.items())
    lines += [f"scaled in weights and bias: {scaled}"] if scaled else []
    if shifter.multiplied:
        copies = ", ".join(f"{name} to 2^{e}" for name, e in shifter.multiplied.items())
        lines.append(f"multiplied, as no constant takes the factor: {copies}")
    return lines


def _magnitude(reach: Reach) -> str:
    if reach.sums > reach.value:
        return f"values reach {reach.value:,.0f}, running sums {reach.sums:,.0f}"
    return f"values reach {reach.value:,.0f}"


def _unreachable(shifter: Shifter, reached: Mapping[str, Reach]) -> list[str]:
    """Return the values that are needed as they are, and that float16 does not hold."""
    return [
        f"{name} reaches {reached[name].value:,.0f}, float16 ends at {LARGEST_FLOAT16:,.0f}, and "
        "what reads it needs it unscaled: keep it in float32"
        for name, shift in shifter.multiplied.items()
        if name in reached and shift == 0 and reached[name].value > LARGEST_FLOAT16
    ]


def _same_bits(graph: Graph, scaled: Graph, example: Sequence[Tensor]) -> bool:
    """Whether two graphs give the same float32 outputs, bit for bit."""
    with torch.inference_mode():
        before, after = (each.reading(*example) for each in (graph, scaled))
    pairs = zip(_all(before), _all(after), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def _all(outputs: object) -> tuple[Tensor, ...]:
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)  # pyright: ignore
