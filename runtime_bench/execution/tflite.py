"""Execution of a ``.tflite`` file by LiteRT, which runs the graph exactly as stored.

LiteRT rewrites no operation. XNNPACK takes over whole runs of operations, and computes in integers
where their tensors are integers.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from pathlib import Path

import numpy as np

from styleexport.core.manifest import ConvolutionFact, ExecutionFact
from styleexport.runtime_bench.execution.runtime_op import (
    OpKind,
    RuntimeOp,
    float_round_trips,
    reorders,
)
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph, TfliteOperation

DATA_MOVEMENT = frozenset({
    "PAD", "PADV2", "MIRROR_PAD", "RELU", "RELU6", "RELU_0_TO_1", "MAX_POOL_2D", "CONCATENATION",
    "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "GATHER",
    "TILE", "BROADCAST_TO", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "MINIMUM", "MAXIMUM",
})  # fmt: skip


def describe_tflite_execution(path: Path) -> ExecutionFact:
    """Return what LiteRT executes.

    Raises:
        BadArtifact: the file is truncated or altered.
        MissingExtra: the library that reads it is not installed.
    """
    graph = read_graph(path)
    ops = tuple(_op(graph, item) for item in graph.operations if graph.activations(item))
    kinds = Counter(op.kind for op in ops)
    return ExecutionFact(
        runtime=f"litert {importlib.metadata.version('ai-edge-litert')}",
        nodes=dict(Counter(item.name for item in graph.operations).most_common()),
        integer_mac_share=graph.int8_mac_share(),
        convolutions=tuple(
            ConvolutionFact(
                layer=graph.tensors[item.outputs[0]].name,
                integer=graph.is_int8(item),
                macs=macs,
            )
            for item in graph.operations
            if (macs := graph.macs(item))
        ),
        float_round_trips=float_round_trips(ops),
        transposes=sum(op.transposes for op in ops),
        quantizes=kinds["quantize"],
        dequantizes=kinds["dequantize"],
        bytes_by_dtype=describe(path).bytes_by_dtype,
    )


def _op(graph: TfliteGraph, item: TfliteOperation) -> RuntimeOp:
    reads = graph.activations(item)
    return RuntimeOp(
        op=item.name,
        kind=_kind(graph, item),
        reads=tuple(map(str, reads)),
        writes=tuple(map(str, item.outputs)),
        transposes=item.name == "TRANSPOSE"
        and reorders(_permutation(graph, item), graph.tensors[item.inputs[0]].shape),
    )


def _kind(graph: TfliteGraph, item: TfliteOperation) -> OpKind:
    if item.name == "QUANTIZE" and graph.tensors[item.inputs[0]].dtype == "float32":
        return "quantize"  # of integers it is a rescaling
    if item.name == "DEQUANTIZE":
        return "dequantize"
    return "data movement" if item.name in DATA_MOVEMENT else "other"


def _permutation(graph: TfliteGraph, item: TfliteOperation) -> tuple[int, ...]:
    """Return the axis order of a TRANSPOSE; reversed where it is computed at run time."""
    stored = graph.tensors[item.inputs[1]].stored
    if stored is None:
        return tuple(range(len(graph.tensors[item.inputs[0]].shape)))[::-1]
    return tuple(int(axis) for axis in np.frombuffer(stored.tobytes(), np.int32))
