"""Precision risks of a Core ML program: float16 sums that overflow, layers left in float32."""

from __future__ import annotations

import math
from collections.abc import Iterator

from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.coreml_program.program import Operation
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph, location_of
from styleexport.runtime_bench.formats._float16 import TYPICAL_SQUARE

# Operation → largest magnitude of its output.
BOUNDED = {"sigmoid": 1.0, "sigmoid_hard": 1.0, "tanh": 1.0, "softmax": 1.0, "relu6": 6.0}
SUMS = frozenset(
    {
        "reduce_l1_norm",
        "reduce_l2_norm",
        "reduce_log_sum",
        "reduce_log_sum_exp",
        "reduce_mean",
        "reduce_sum",
        "reduce_sum_square",
    }
)
NORMS = frozenset({"instance_norm", "layer_norm"})
SCALINGS = frozenset({"add", "cast", "clip", "mul", "real_div", "sub"})


def float16_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    """Yield the risks of layers in the wrong precision: sums in float16, others in float32."""
    counts = graph.precisions
    if counts["fp32"] > counts["fp16"]:
        yield RiskFact(
            where="the program",
            reason="computes in float32: it runs on the GPU and the CPU, not on the Neural Engine",
            remedy="export with --precision fp16",
        )
    else:
        yield from _float32_risks(graph)
    yield from _sum_risks(graph)


def _float32_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    boundary = _before_casts(graph) | _after_casts(graph)
    left = [
        item
        for item in graph.steps
        if any(graph.types[out.name].dtype == "fp32" for out in item.outputs)
        # Pictures are scaled at the inputs and outputs; a cast computes nothing.
        and item.kind != "cast"
        and not (item.kind in SCALINGS and boundary.issuperset(out.name for out in item.outputs))
    ]
    if left:
        yield RiskFact(
            where=location_of(left),
            reason="computes in float32 in a program of float16: the Neural Engine does not, and "
            "the program is cut there with a copy each way",
            remedy="keep it in float16 where its values allow that, for sums as means over the "
            "width, then over the height",
        )


def _before_casts(graph: CoremlGraph) -> set[str]:
    """Return the inputs and the variables that are scaled from them alone."""
    names = {feature.name for feature in graph.package.inputs}
    for item in graph.steps:
        reads = set(item.reads()) - graph.weights
        if item.kind in SCALINGS and reads <= names and len(reads) == 1:
            names.update(out.name for out in item.outputs)
    return names


def _after_casts(graph: CoremlGraph) -> set[str]:
    """Return the outputs and the variables that they are scaled from."""
    names = {feature.name for feature in graph.package.outputs}
    for item in reversed(graph.steps):
        reads = set(item.reads()) - graph.weights
        if item.kind in SCALINGS and len(reads) == 1:
            names |= reads if names.issuperset(out.name for out in item.outputs) else set()
    return names


def _sum_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    large = [item for item in graph.steps if _may_overflow(graph, item)]
    if not large:
        return
    first = max(large, key=lambda item: _summed(graph, item))
    large.remove(first)
    yield RiskFact(
        where=location_of([first, *large]),
        reason=f"adds {_summed(graph, first)} values a channel in float16, whose largest is "
        f"{LARGEST_FLOAT16}: it overflows where hardware keeps the sum in float16",
        remedy="export with styleexport coreml, which scales statistics and takes them over the "
        "width, then over the height; or keep the operation in float32",
    )


def _may_overflow(graph: CoremlGraph, operation: Operation) -> bool:
    """Whether a sum inside an operation exceeds float16 for features of typical magnitude."""
    x = graph.type_of(operation, "x")
    if x is None or x.dtype != "fp16" or operation.kind not in SUMS | NORMS:
        return False
    # Means over rows, then over columns, are the safe form of a mean over a map.
    if operation.kind == "reduce_mean" and len(x.shape) == 4 and len(_axes(graph, operation)) == 1:
        return False
    return _summed(graph, operation) * _magnitude(graph, operation) > LARGEST_FLOAT16


def _axes(graph: CoremlGraph, operation: Operation) -> tuple[int, ...]:
    """Return the axes that an operation sums over."""
    x = graph.type_of(operation, "x")
    rank = len(x.shape) if x else 0
    if operation.kind == "instance_norm":
        return tuple(range(2, rank))
    return graph.integers(operation, "axes") or tuple(range(rank))


def _summed(graph: CoremlGraph, operation: Operation) -> int:
    """Return the number of values that an operation sums for each result; 0 if dynamic."""
    x = graph.type_of(operation, "x")
    return math.prod(x.shape[axis] or 0 for axis in _axes(graph, operation)) if x else 0


def _magnitude(graph: CoremlGraph, operation: Operation) -> float:
    """Return the typical magnitude of the values that an operation sums."""
    source = operation.inputs["x"][0]
    producer = graph.producers.get(source) if isinstance(source, str) else None
    return BOUNDED.get(producer.kind, TYPICAL_SQUARE) if producer else TYPICAL_SQUARE
