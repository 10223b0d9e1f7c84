"""Operations of a ``.tflite`` file that LiteRT's GPU delegate refuses."""

from __future__ import annotations

import numpy as np
import pytest

from styleexport.runtime_bench.formats._tflite_gpu import gpu_refusals, gpu_text
from styleexport.runtime_bench.formats._tflite_graph import (
    TfliteGraph,
    TfliteOperation,
    TfliteTensor,
)

MAP, PIXEL = (1, 8, 8, 4), (1, 1, 1, 4)
WIDTHS = (4, 2)


def tensor(name, shape=MAP, dtype="float32", constant=False):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    stored = np.zeros(size, np.uint8) if constant else None
    return TfliteTensor(name, shape, dtype, stored, (), (), 0)


def graph_of(*operations, **tensors):
    """Return a graph; each operation is its name, the names it reads, the one it writes, more."""
    names = list(tensors)
    found = tuple(
        TfliteOperation(name, tuple(names.index(i) for i in reads), (names.index(out),), *more)
        for name, reads, out, *more in operations
    )
    return TfliteGraph(tuple(tensors.values()), found, {"x": 0}, {"y": 1}, "", ())


def of_one(name, *reads, version=1, options=(), **tensors):
    held = {"x": tensor("x"), "y": tensor("y")} | tensors
    return graph_of((name, reads or ("x",), "y", version, options), **held)


@pytest.mark.parametrize(
    "graph",
    [
        of_one("RELU"),
        of_one("MUL", "x", "x"),
        of_one("MUL", "x", "k", k=tensor("k", PIXEL)),
        of_one("MINIMUM", "x", "one", one=tensor("one", (), constant=True)),
        of_one("MEAN", "x", "k", k=tensor("k", (2,), "int32", constant=True)),
        of_one("MIRROR_PAD", "x", "k", k=tensor("k", WIDTHS, "int32", constant=True)),
        of_one("CONV_2D", version=6),
        of_one("QUANTIZE", y=tensor("y", dtype="int8")),
    ],
)
def test_what_the_delegate_takes(graph):
    assert gpu_refusals(graph) == ()
    assert gpu_text(graph) == "whole: all 1 operations"


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (of_one("RELU_0_TO_1"), "RELU_0_TO_1 is none of its operations"),
        (of_one("GATHER_ND"), "GATHER_ND is none of its operations"),
        (of_one("CONV_2D", version=8), "version 8 of CONV_2D is newer than 6"),
        (of_one("RELU", x=tensor("x", (1, 2, 2, 2, 2))), "x has 5 axes, at most 4"),
        (of_one("RELU", y=tensor("y", dtype="int16")), "y is int16"),
        (of_one("SUB", "x", "x"), "it reads one tensor twice"),
        (of_one("MUL", "x", "k", k=tensor("k", (8, 3))), "[1, 8, 8, 4] and [8, 3] do not fit"),
        (of_one("SUM", "x", "k", k=tensor("k", (2,), "int32")), "its axes are computed"),
        (
            of_one(
                "MIRROR_PAD",
                "x",
                "k",
                options=(("mode", 1),),
                k=tensor("k", WIDTHS, "int32", constant=True),
            ),
            "it mirrors with the edge, not at the edge",
        ),
        (of_one("PAD", "x", "k", k=tensor("k", WIDTHS, "int32")), "its widths are computed"),
        (
            of_one("SLICE", "x", "k", "k", k=tensor("k", (4,), "int32")),
            "where it begins and its size are computed",
        ),
        (
            of_one("STRIDED_SLICE", options=(("shrinkAxisMask", 1),)),
            "it adds, removes or skips axes",
        ),
        (
            of_one("STRIDED_SLICE", x=tensor("x", (8, 8))),
            "it slices a tensor of neither 3 nor 4 axes",
        ),
        (
            of_one("RESIZE_BILINEAR", options=(("alignCorners", 1), ("halfPixelCenters", 1))),
            "it aligns corners and takes centres of pixels at once",
        ),
    ],
)
def test_what_the_delegate_refuses(graph, reason):
    (refusal,) = gpu_refusals(graph)
    assert reason in refusal.reason
    assert gpu_text(graph) == f"0 of 1 operations: not {refusal.operation.name} y"


def test_weights_of_float16_are_no_operations_of_the_delegate():
    stored = {"w16": tensor("w16", dtype="float16", constant=True), "w": tensor("w", (1,) * 5)}
    graph = graph_of(
        ("DEQUANTIZE", ("w16",), "w"), ("RELU", ("x",), "y"), x=tensor("x"), y=tensor("y"), **stored
    )
    assert gpu_refusals(graph) == ()


def test_the_text_names_three_operations():
    many = [("GATHER_ND", ("x",), f"t{i}") for i in range(5)]
    tensors = {f"t{i}": tensor(f"t{i}") for i in range(5)}
    graph = graph_of(*many, ("RELU", ("x",), "y"), x=tensor("x"), y=tensor("y"), **tensors)
    assert gpu_text(graph) == (
        "1 of 6 operations: not GATHER_ND t0, GATHER_ND t1, GATHER_ND t2 and 2 more"
    )
