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

Means, variances and their squares are left to `half_range`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.graph.rewrite import Outcome, Pass, apply_passes
from styleexport.exporter.rewrites.running_sums import SUMS_OF_PRODUCTS, Reach, forecast
from styleexport.exporter.rewrites.shifts import Regions, Shifter

NAME = "scale-outputs"
LARGEST = 65504.0
# Other pictures may reach twice what the calibration inputs do.
MARGIN = 2.0
MOST_INPUTS = 4
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
    limit = LARGEST / MARGIN
    reached = forecast(graph.reading, shown, limit)
    need = {
        node.name: _shift(reached[node.name].all, limit)
        for node in graph.reading.graph.nodes
        if node.name in reached and _counts(node) and reached[node.name].all > limit
    }
    if not need:
        return graph, ()

    def rewrite(module: GraphModule) -> Outcome:
        shifter = Shifter(Regions(module, need))
        shifter.run()
        return Outcome(
            len(shifter.shifted) + len(shifter.multiplied),
            tuple(_unreachable(shifter, reached)),
            tuple(_reasons(shifter, need, reached)),
        )

    example = [torch.from_numpy(shown[0][fact.name]) for fact in graph.inputs]
    scaled, (fact,) = apply_passes(graph, (Pass(NAME, 0, rewrite),), example)
    if fact.applied and not _same_bits(graph, scaled, example):
        refused = (*fact.refused, "not exact here: float32 outputs differ in their bits")
        return graph, (PassFact(name=NAME, applied=0, refused=refused),)
    return (scaled if fact.applied else graph), (fact,)


def _shift(reached: float, limit: float) -> int:
    """Return the largest power of two that brings a magnitude below a limit, as its exponent."""
    return math.floor(math.log2(limit / reached)) if math.isfinite(reached) else 0


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


def _reasons(shifter: Shifter, need: Mapping[str, int], reached: Mapping[str, Reach]) -> list[str]:
    """Return what was scaled by how much, and why: one line for what was forecast out of range."""
    causes = [name for name, shift in need.items() if shift < _ahead(shifter, need, name)]
    lines = [
        f"{name}: {_magnitude(reached[name])} on calibration inputs; twice that stays below 65,504 "
        f"at 2^{need[name]}"
        for name in causes
    ]
    scaled = ", ".join(f"{name} by 2^{shift}" for name, shift in shifter.shifted.items())
    lines += [f"scaled in weights and bias: {scaled}"] if scaled else []
    if shifter.multiplied:
        copies = ", ".join(f"{name} to 2^{e}" for name, e in shifter.multiplied.items())
        lines.append(f"multiplied, as no constant takes the factor: {copies}")
    return lines


def _ahead(shifter: Shifter, need: Mapping[str, int], name: str) -> int:
    """Return the shift that what an operation reads needs already."""
    node = next(x for x in shifter.regions.module.graph.nodes if x.name == name)
    if operation_of(node) in SUMS_OF_PRODUCTS:
        return 0
    return min((need.get(x.name, 0) for x in node.all_input_nodes), default=0)


def _magnitude(reach: Reach) -> str:
    if reach.sums > reach.value:
        return f"values reach {reach.value:,.0f}, running sums {reach.sums:,.0f}"
    return f"values reach {reach.value:,.0f}"


def _unreachable(shifter: Shifter, reached: Mapping[str, Reach]) -> list[str]:
    """Return the values that are needed as they are, and that float16 does not hold."""
    return [
        f"{name} reaches {reached[name].value:,.0f}, float16 ends at {LARGEST:,.0f}, and what "
        "reads it needs it unscaled: keep it in float32"
        for name, shift in shifter.multiplied.items()
        if name in reached and shift == 0 and reached[name].value > LARGEST
    ]


def _same_bits(graph: Graph, scaled: Graph, example: Sequence[Tensor]) -> bool:
    """Whether two graphs give the same float32 outputs, bit for bit."""
    with torch.inference_mode():
        before, after = (each.reading(*example) for each in (graph, scaled))
    pairs = zip(_all(before), _all(after), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def _all(outputs: object) -> tuple[Tensor, ...]:
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)  # pyright: ignore
