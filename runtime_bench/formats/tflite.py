"""TFLite files: operations, storage, MACs, peak memory, and known risks on devices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.formats._float16 import TYPICAL_SQUARE
from styleexport.runtime_bench.formats._format import Description, Format
from styleexport.runtime_bench.formats._liveness import GraphStep, peak_bytes
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_gpu import Refusal, gpu_refusals, gpu_text
from styleexport.runtime_bench.formats._tflite_graph import (
    MAX_IM2COL_VALUES,
    TfliteGraph,
    TfliteOperation,
)

SUMS = ("MEAN", "SUM")


class TfliteFormat(Format):
    """TFLite, one graph of one size."""

    name = "tflite"
    suffix = ".tflite"

    def describe(self, path: Path) -> Description:
        """Return the facts of a TFLite file; see `Format.describe`."""
        graph = read_graph(path)
        stored: Counter[str] = Counter()
        for tensor in graph.tensors:
            if tensor.stored is not None:
                stored[tensor.dtype] += len(tensor.stored)
        least = f", runtime {graph.least_runtime} or newer" if graph.least_runtime else ""
        return Description(
            format="TFLite",
            version=f"schema 3{least}",
            size_bytes=path.stat().st_size,
            macs=sum(map(graph.macs, graph.operations)),
            int8_mac_share=graph.int8_mac_share(),
            inputs=tuple(_input_text(graph, *item) for item in graph.inputs.items()),
            outputs=tuple(_input_text(graph, *item) for item in graph.outputs.items()),
            ops=dict(Counter(item.name for item in graph.operations).most_common()),
            bytes_by_dtype=dict(stored.most_common()),
            peak_activation_bytes=None if graph.dynamic_tensors else _peak(graph),
            risks=tuple(_risks(graph)),
            about={**graph.about, "GPU delegate": gpu_text(graph)},
        )


def _input_text(graph: TfliteGraph, name: str, index: int) -> str:
    tensor = graph.tensors[index]
    return f"{name}: {tensor.dtype} [{', '.join(map(str, tensor.shape))}]"


def _peak(graph: TfliteGraph) -> int:
    """Return the peak of activation bytes, without weights that a runtime unpacks once."""
    constant: set[int] = {i for i, t in enumerate(graph.tensors) if t.stored is not None}
    steps: list[GraphStep] = []
    for item in graph.operations:
        reads = [index for index in item.inputs if index >= 0 and index not in constant]
        if not reads:
            constant |= set(item.outputs)
            continue
        writes = {str(index): graph.tensors[index].size_bytes for index in item.outputs}
        steps.append(GraphStep(tuple(map(str, reads)), writes))
    inputs = {str(index): graph.tensors[index].size_bytes for index in graph.inputs.values()}
    return peak_bytes(steps, inputs, [str(index) for index in graph.outputs.values()])


def _risks(graph: TfliteGraph) -> Iterator[RiskFact]:
    locations = {name: _location(graph, name) for name in {item.name for item in graph.operations}}
    if "TRANSPOSE" in locations:
        yield RiskFact(
            where=locations["TRANSPOSE"],
            reason="a layout transpose copies the whole map, on the CPU and on the GPU",
            remedy="export with --converter litert-torch, which writes none",
        )
    yield from _gpu_risks(graph)
    for index in graph.dynamic_tensors[:1]:
        yield RiskFact(
            where=graph.tensors[index].name,
            reason="its shape is open: delegates refuse the graph, or plan again on each call",
            remedy="export one file a size with --size",
        )
    wide = [item for item in graph.operations if graph.im2col_values(item) > MAX_IM2COL_VALUES]
    if wide:
        yield RiskFact(
            where=_first_of(graph, wide, wide[0]),
            reason="LiteRT's own kernels cannot load it: they would unfold 2^31 values or more",
            remedy="run with XNNPACK, which is LiteRT's default, or export smaller with --size",
        )
    int16 = [item for item in graph.operations if graph.macs(item) and _reads_int16(graph, item)]
    if int16:
        yield RiskFact(
            where=_first_of(graph, int16, int16[0]),
            reason="activations of 16 bits: XNNPACK and the GPU do not take them, and LiteRT's own "
            "kernels on the CPU are slower than float; NPUs multiply them",
            remedy="run on an NPU, or export with --precision int8 for CPUs",
        )
    large = [item for item in graph.operations if _may_overflow(graph, item)]
    if large:
        first = max(large, key=lambda item: _summed(graph, item))
        yield RiskFact(
            where=_first_of(graph, large, first),
            reason=f"a GPU delegate that computes in fp16 may sum {_summed(graph, first)} values "
            f"here and pass {LARGEST_FLOAT16}; the CPU computes in float32",
            remedy="forbid precision loss in the GPU delegate's options, or run on the CPU",
        )


def _gpu_risks(graph: TfliteGraph) -> Iterator[RiskFact]:
    """Yield what the GPU delegate refuses, one fact an operator."""
    refused: dict[str, list[Refusal]] = {}
    for one in gpu_refusals(graph):
        refused.setdefault(one.operation.name, []).append(one)
    for name, ones in sorted(refused.items()):
        yield RiskFact(
            where=_first_of(graph, [one.operation for one in ones], ones[0].operation),
            reason=f"the GPU delegate does not take {name} ({ones[0].reason}): CompiledModel "
            "refuses the file on the GPU alone, and with the CPU beside it the graph is cut there",
            remedy="export with --converter litert-torch, or run on the CPU",
        )


def _reads_int16(graph: TfliteGraph, item: TfliteOperation) -> bool:
    return any(graph.tensors[index].dtype == "int16" for index in graph.activations(item))


def _location(graph: TfliteGraph, name: str) -> str:
    """Return the first operation of a name, and the number of others."""
    items = [item for item in graph.operations if item.name == name]
    return _first_of(graph, items, items[0])


def _first_of(graph: TfliteGraph, items: list[TfliteOperation], first: TfliteOperation) -> str:
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{first.name} {graph.tensors[first.outputs[0]].name}{more}"


def _summed(graph: TfliteGraph, item: TfliteOperation) -> int:
    """Return the number of values that a reduction sums for each result."""
    read, written = (graph.tensors[i].shape for i in (item.inputs[0], item.outputs[0]))
    return math.prod(read) // max(1, math.prod(written))


def _may_overflow(graph: TfliteGraph, item: TfliteOperation) -> bool:
    return item.name in SUMS and _summed(graph, item) * TYPICAL_SQUARE > LARGEST_FLOAT16


FORMAT = TfliteFormat()
