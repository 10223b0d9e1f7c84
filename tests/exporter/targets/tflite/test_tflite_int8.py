"""Which operations of a TFLite graph the static recipe computes in int8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ai_edge_quantizer")

from styleexport.exporter.targets.tflite.int8 import body
from styleexport.runtime_bench.formats._tflite_graph import (
    TfliteGraph,
    TfliteOperation,
    TfliteTensor,
)


def chain(*ops: str) -> TfliteGraph:
    """Operations one after the other; SUB subtracts the MEAN in front of it from its input."""
    shape = (1, 8, 8, 4)
    tensors = [TfliteTensor("t0", shape, "float32", None, (), (), 0)]
    operations: list[TfliteOperation] = []
    picture = 0
    for index, op in enumerate(ops):
        small = op == "MEAN"
        name = f"{op}_{index}"
        tensors.append(TfliteTensor(name, (1, 4) if small else shape, "float32", None, (), (), 0))
        made = len(tensors) - 1
        reads = (picture, made - 1) if op == "SUB" and index else (picture,)
        operations.append(TfliteOperation(op, reads, (made,)))
        picture = picture if small else made
    return TfliteGraph(
        tuple(tensors), tuple(operations), {"content": 0}, {"image": picture}, "", ()
    )


NORM = ("MEAN", "SUB", "MUL", "ADD")


@pytest.mark.parametrize(
    ("ops", "inside"),
    [
        (("PAD", "CONV_2D", "RELU", "MAX_POOL_2D", "MIRROR_PAD", "CONV_2D"), (0, 1, 2, 3, 4, 5)),
        (("MIRROR_PAD", "CONV_2D", "RELU", *NORM, "CONV_2D"), (0, 1, 7)),
        (("CONV_2D", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV"), (0,)),
        (("CONV_2D", "PAD"), (0,)),
    ],
)
def test_what_only_passes_values_on_is_int8_between_integer_convolutions(ops, inside):
    graph = chain(*ops)
    assert [graph.operations.index(item) for item in body(graph)] == list(inside)


@pytest.mark.parametrize(("value", "inside"), [(0.0, [0, 1, 2]), (3.0, [0, 2])])
def test_a_padding_that_adds_another_value_than_0_stays_float(value, inside):
    plain = chain("CONV_2D", "PADV2", "CONV_2D")
    stored = np.frombuffer(np.float32(value).tobytes(), np.uint8)
    constant = TfliteTensor("value", (1,), "float32", stored, (), (), 0)
    first, pad, last = plain.operations
    pad = replace(pad, inputs=(*pad.inputs, -1, len(plain.tensors)))
    graph = replace(plain, tensors=(*plain.tensors, constant), operations=(first, pad, last))
    assert [graph.operations.index(item) for item in body(graph)] == inside


def test_an_island_stays_float_with_what_only_leads_to_it():
    graph = chain("PAD", "CONV_2D", "MIRROR_PAD", "CONV_2D", "RELU", "CONV_2D")
    inside = [graph.operations.index(item) for item in body(graph, ["CONV_2D_3"])]
    assert inside == [0, 1, 5]


def test_a_relu_behind_a_float_operation_stays_float():
    graph = chain("CONV_2D", "RELU", "MIRROR_PAD", "CONV_2D", "RELU", "PAD", "CONV_2D")
    inside = [graph.operations.index(item) for item in body(graph, ["CONV_2D_0"])]
    assert inside == [2, 3, 4, 5, 6]
