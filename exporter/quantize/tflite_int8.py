"""int8 ``.tflite`` files: integer convolutions with fixed ranges, statistics in float.

Convolutions take int8 activations and int8 weights, one scale an output channel; what lies between
two of them (padding, pooling, nearest upsampling, a ReLU on its own) passes the int8 values on.
Inputs and outputs of the file stay float32. What stays in float inside, and why, is that of ONNX
(`onnx_int8`), but for one: LiteRT has an integer kernel for transposed convolutions, and it is left
alone because the published networks lose 5 dB to it for 7 % of their MACs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import FloatIslandFact, QuantizationFact
from styleexport.exporter.quantize.calibration import CalibrationSet
from styleexport.exporter.quantize.tflite_recipe import STATIC, Ranges, quantize
from styleexport.runtime_bench.formats._tflite import TfliteGraph, TfliteOperation, read_graph
from styleexport.runtime_bench.runners._litert import invoke, load

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# What lies between two integer convolutions.
PASSED_ON = ("MIRROR_PAD", "PAD", "PADV2", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR", "RELU")
SQUASHING = ("TANH", "LOGISTIC")
TO_THE_PICTURE = (
    *SQUASHING, "SUB", "MUL", "ADD", "DIV", "SLICE", "STRIDED_SLICE", "RELU_0_TO_1", "MINIMUM",
    "MAXIMUM",
)  # fmt: skip
STATISTICS = ("MEAN", "SUM", "SUB", "MUL", "ADD", "DIV", "SQRT", "RSQRT", "SQUARED_DIFFERENCE")

Arrays = dict[str, NDArray[np.float32]]


def quantize_body(
    source: Path, target: Path, feeds: Sequence[Arrays], calibration: CalibrationSet
) -> QuantizationFact:
    """Write a float32 file with its body in int8 and return how it was quantized.

    Args:
        source: a float32 file.
        target: the file to write.
        feeds: calibration inputs.
        calibration: where the feeds came from, for the record.

    Raises:
        UnsupportedOp: no convolution could be computed in int8.
    """
    graph = read_graph(source)
    stretched, inside = stretched_convs(graph), body(graph)
    if not inside:
        raise UnsupportedOp(
            "int8 would leave every convolution of the network in float, as what follows them "
            "multiplies their rounding: type --quantize int8-weights"
        )
    quantize(source, target, graph, inside, STATIC, activation_ranges(source, feeds))
    found = {item.name for item in graph.operations}
    islands = [
        (tuple(_name(graph, item) for item in stretched), "what follows multiplies its rounding"),
        (
            tuple(op for op in STATISTICS if op in found),
            "instance statistics lose 5 to 13 dB in int8",
        ),
        (("TRANSPOSE_CONV",) if "TRANSPOSE_CONV" in found else (), "int8 costs it 5 dB"),
    ]
    return QuantizationFact(
        scheme="static",
        weight_dtype="int8",
        activation_dtype="int8",
        per_channel=True,
        calibration=calibration.fact(feeds[0]),
        float_islands=tuple(FloatIslandFact(ops=ops, reason=why) for ops, why in islands if ops),
    )


def _name(graph: TfliteGraph, item: TfliteOperation) -> str:
    return graph.tensors[item.outputs[0]].name


def body(graph: TfliteGraph) -> list[TfliteOperation]:
    """Return the operations to be computed in int8, in order.

    A convolution is one unless it is stretched; what only passes values on is one if all that read
    it are.
    """
    readers: dict[int, list[TfliteOperation]] = {}
    for item in graph.operations:
        for index in item.inputs:
            readers.setdefault(index, []).append(item)
    kept_float = set(stretched_convs(graph))
    found: set[TfliteOperation] = set()
    for item in reversed(graph.operations):
        after = readers.get(item.outputs[0], [])
        passes_on = item.name in PASSED_ON and after and found.issuperset(after)
        if passes_on or (item.name in CONVOLUTIONS and item not in kept_float):
            found.add(item)
    return [item for item in graph.operations if item in found]


def stretched_convs(graph: TfliteGraph) -> tuple[TfliteOperation, ...]:
    """Return convolutions that reach the output through a normalisation, tanh or sigmoid."""
    makers = graph.makers()
    found: list[TfliteOperation] = []
    for output in graph.outputs.values():
        item, stretched = makers.get(output), False
        while item is not None and item.name in TO_THE_PICTURE:
            stretched = stretched or item.name in SQUASHING or _centres(graph, item, makers)
            item = makers.get(_picture(graph, item))
        if item is not None and item.name in CONVOLUTIONS and stretched:
            found.append(item)
    return tuple(found)


def _picture(graph: TfliteGraph, item: TfliteOperation) -> int:
    """Return the largest activation that an operation reads; -1 for none."""
    sizes = {i: math.prod(graph.tensors[i].shape) for i in graph.activations(item)}
    return max(sizes, key=lambda index: sizes[index], default=-1)


def _centres(graph: TfliteGraph, item: TfliteOperation, makers: dict[int, TfliteOperation]) -> bool:
    """Whether an operation subtracts a mean."""
    makes = [makers.get(i) for i in graph.activations(item)]
    return item.name == "SUB" and any(made and made.name == "MEAN" for made in makes)


def activation_ranges(path: Path, feeds: Sequence[Arrays]) -> Ranges:
    """Return tensor name → the least and largest value of each activation over all feeds."""
    graph = read_graph(path)
    interpreter = load(path, delegate=True, threads=os.cpu_count(), keep_all=True)
    watched = [index for item in graph.operations for index in item.outputs]
    watched += graph.inputs.values()
    low = dict.fromkeys(watched, math.inf)
    high = dict.fromkeys(watched, -math.inf)
    for inputs in feeds:
        invoke(interpreter, path, graph, inputs)
        for index in watched:
            value = interpreter.get_tensor(index)
            low[index] = min(low[index], float(value.min()))
            high[index] = max(high[index], float(value.max()))
    return {
        graph.tensors[index].name: {
            kind: np.full([1] * max(1, len(graph.tensors[index].shape)), limit[index], np.float32)
            for kind, limit in (("min", low), ("max", high))
        }
        for index in watched
    }
