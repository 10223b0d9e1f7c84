"""Risks of a Core ML program: known failures at load, and operations off the Neural Engine.

Facts that Apple documents are stated; findings of users are called reported, with the thread. The
device decides where an operation runs: Xcode's performance report shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.coreml_program.program import Operation
from styleexport.runtime_bench.formats._coreml_float16 import float16_risks
from styleexport.runtime_bench.formats._coreml_graph import (
    CONVOLUTIONS,
    FLOATS,
    CoremlGraph,
    location_of,
)
from styleexport.runtime_bench.formats._coreml_shapes import is_flexible

ONE_SIZE = "export one file a size: name each with --size, without --enumerated"
LARGEST_SIDE = 16384
# Apple publishes no limit for an app. This is half of the memory of the smallest phone with iOS 16.
MOST_BYTES = 2**30
LARGEST_KERNEL = 13
DETECTOR = "roboflow/rf-detr#1495"
RECURRENT = "coremltools#1780"
GATHER = "hollance/neural-engine, unsupported layers"
GUIDE = "ane-guide.readthedocs.io, chapter 4"
# Operation → report of it running off the Neural Engine.
REPORTED = {
    "gather": GATHER,
    "gather_along_axis": DETECTOR,
    "gather_nd": GATHER,
    "gru": RECURRENT,
    "lstm": RECURRENT,
    "reduce_prod": GUIDE,
    "rnn": RECURRENT,
    "scatter": GUIDE,
    "scatter_along_axis": GUIDE,
    "scatter_nd": GUIDE,
    "topk": DETECTOR,
}


def find_risks(graph: CoremlGraph, peak: int | None) -> Iterator[RiskFact]:
    """Yield the risks of a program.

    Args:
        graph: program at its largest size.
        peak: peak memory of activations in bytes; None where it is unknown.
    """
    yield from _size_risks(graph)
    yield from _pad_risks(graph)
    yield from _weight_risks(graph)
    yield from _kernel_risks(graph)
    yield from _length_risks(graph)
    yield from _memory_risks(peak)
    yield from _operation_risks(graph)
    yield from _integer_risks(graph)
    yield from float16_risks(graph)


def _size_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    flexible = [feature for feature in graph.package.inputs if is_flexible(feature)]
    if not flexible:
        return
    where = "input " + ", ".join(feature.name for feature in flexible)
    ranged = any(low != high for feature in flexible for low, high in feature.bounds)
    if ranged:
        reason = (
            "takes any size of a range: reported to run off the Neural Engine where sizes vary "
            "(coremltools#1029, coremltools#2370)"
        )
    else:
        reason = (
            "takes several sizes: memory is reported to be taken for the largest "
            "(coremltools#1249), and calls of changing size to leave the Neural Engine "
            "(coremltools#2370)"
        )
    yield RiskFact(where=where, reason=reason, remedy=ONE_SIZE)
    if len(flexible) > 1:
        yield RiskFact(
            where=where,
            reason="more than one input takes several sizes: combinations of them are reported to "
            "fail (coremltools#2271)",
            remedy=ONE_SIZE,
        )
    mirrored = [item for item in _pads(graph) if graph.constant(item, "mode") == "reflect"]
    if mirrored:
        yield RiskFact(
            where=location_of(mirrored),
            reason="reflection pads in a model of several sizes are reported to fail at load with "
            "'Error in declaring network' (coremltools#1438, seen with the older neural network "
            "format)",
            remedy=ONE_SIZE,
        )
    norms = [item for item in graph.steps if item.kind == "layer_norm"]
    if norms and not ranged:
        yield RiskFact(
            where=location_of(norms),
            reason="a layer norm in a program of listed sizes is reported to keep it off the "
            "Neural Engine (coremltools#1909)",
            remedy=ONE_SIZE,
        )


def _pads(graph: CoremlGraph) -> list[Operation]:
    return [item for item in graph.steps if item.kind == "pad"]


def _pad_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    """Yield the risk of pads that the runtime does not load; constant pads may be on any axis."""
    outside = [
        item
        for item in _pads(graph)
        # Pads are pairs for the last axes, the first of these first.
        if any(graph.integers(item, "pad")[:-4])
        and graph.constant(item, "mode") in ("reflect", "replicate")
    ]
    if outside:
        yield RiskFact(
            where=location_of(outside),
            reason="pads by reflection or replication outside the last two axes: reported to fail "
            "at load (coremltools#2576, coremltools#2701)",
            remedy="transpose so that the padded axes are the last two, or write the pad as "
            "slices and a concat",
        )


def _weight_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    computed = [
        item
        for item in graph.steps
        if item.kind in CONVOLUTIONS
        and isinstance(name := item.inputs["weight"][0], str)
        and name not in graph.weights
    ]
    if computed:
        yield RiskFact(
            where=location_of(computed),
            reason="its weight is computed from the inputs: reported to leave the Neural Engine "
            "(coremltools#2536), and with a constant bias to fail at load (coremltools#1466)",
            remedy="make the weight a constant, or scale the channels of its input or output "
            "instead",
        )


def _kernel_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    large = [item for item in graph.steps if _kernel(graph, item) > LARGEST_KERNEL]
    if large:
        yield RiskFact(
            where=location_of(large),
            reason=f"a kernel of {_kernel(graph, large[0])}: the Neural Engine is reported to take "
            f"at most {LARGEST_KERNEL} (hollance/neural-engine#2)",
            remedy="take several smaller kernels, or means over one axis after the other for a "
            "pool over the whole map",
        )


def _kernel(graph: CoremlGraph, operation: Operation) -> int:
    """Return the longest side of a convolution's or pool's kernel; 0 for other operations."""
    if operation.kind in CONVOLUTIONS:
        weight = graph.type_of(operation, "weight")
        return max((side or 0 for side in weight.shape[2:]), default=0) if weight else 0
    if operation.kind in ("avg_pool", "max_pool", "l2_pool"):
        return max(graph.integers(operation, "kernel_sizes"), default=0)
    return 0


def _length_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    def longest(operation: Operation) -> int:
        shapes = (graph.types[item.name].shape for item in operation.outputs)
        return max((side or 0 for shape in shapes for side in shape), default=0)

    long = [item for item in graph.steps if longest(item) > LARGEST_SIDE]
    if long:
        yield RiskFact(
            where=location_of(long),
            reason=f"a side of {longest(long[0])}: models with one above {LARGEST_SIDE} are "
            "reported not to load or to leave the Neural Engine (coremltools#1003, "
            "onnxruntime#19543)",
            remedy="export a smaller --size, or keep height and width as two axes",
        )


def _integer_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    """Yield the risk of int8 convolutions that run in float, with the conversions on top."""
    integers = [item for item in graph.steps if graph.is_int8(item)]
    if integers:
        yield RiskFact(
            where=location_of(integers),
            reason="int8 activations: Apple documents that they may be considerably slower on the "
            "CPU and sometimes the GPU, and faster on the Neural Engine from A17 Pro and M4 on",
            remedy="choose compute units with the Neural Engine; for other devices export with "
            "--precision int8-weights, and measure both",
        )


def _memory_risks(peak: int | None) -> Iterator[RiskFact]:
    if peak is not None and peak > MOST_BYTES:
        yield RiskFact(
            where="activations",
            reason=f"they take {peak / 2**30:.1f} GiB at their peak, by estimate: phones of 2 to 3 "
            "GB may end the app (coremltools#1035)",
            remedy="export a smaller --size",
        )


def _operation_risks(graph: CoremlGraph) -> Iterator[RiskFact]:
    """Yield the risk of operations on feature maps (not on shapes) off the Neural Engine."""
    by_kind: dict[str, list[Operation]] = {}
    for item in graph.steps:
        x = graph.type_of(item, "x") or graph.type_of(item, "data")
        if item.kind in REPORTED and x is not None and x.dtype in FLOATS:
            by_kind.setdefault(item.kind, []).append(item)
    for kind, items in by_kind.items():
        yield RiskFact(
            where=location_of(items),
            reason=f"{kind} is reported to leave the Neural Engine ({REPORTED[kind]}): the program "
            "is cut there, with a copy each way",
            remedy="write it with slices, products and sums over one axis",
        )
