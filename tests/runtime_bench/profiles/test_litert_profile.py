"""LiteRT's profile: which operation of the file each of XNNPACK's is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.targets._target import Recipe
from styleexport.runtime_bench import profiles
from styleexport.runtime_bench.formats._tflite_graph import (
    TfliteGraph,
    TfliteOperation,
    TfliteTensor,
)
from styleexport.runtime_bench.profiles import _litert, _profiler
from styleexport.runtime_bench.profiles._litert_library import DELEGATED, OPERATION, WHOLE, Event
from styleexport.runtime_bench.profiles._xnnpack import Partition, aligned, partitions
from styleexport.runtime_bench.runners._runner import RunOptions


def graph_of(*operations: tuple[str, tuple[int, ...], int, str]) -> TfliteGraph:
    """A graph of (kind, tensors read, tensor written, its name); tensor 0 is the input."""
    names = {0: "x", **{out: name for _, _, out, name in operations}}
    shape = (1, 4, 4, 2)
    return TfliteGraph(
        tuple(
            TfliteTensor(names.get(i, f"w{i}"), shape, "float32", None, (), (), 0)
            for i in range(max(names) + 1)
        ),
        tuple(TfliteOperation(kind, reads, (out,)) for kind, reads, out, _ in operations),
        {"x": 0},
        {"y": max(names)},
        "",
        (),
    )


# As int8 files have it: the delegate leaves RELU, and takes what does not need it first.
BRANCHES = graph_of(
    ("SLICE", (0,), 1, "slice_at_0"),
    ("CONCATENATION", (1,), 2, "pad"),
    ("CONV_2D", (2, 2), 3, "conv2d"),
    ("RELU", (3,), 4, "relu"),
    ("CONV_2D", (4, 4), 5, "conv2d_1"),
    ("DEQUANTIZE", (3,), 6, "conv2d_dequant"),
    ("MUL", (6,), 7, "mul"),
    ("MEAN", (7,), 8, "mean_at_5"),
    ("ADD", (8,), 9, "mean_1"),
    ("MUL", (5, 9), 10, "image"),
)


def test_parts_take_all_that_is_ready_wherever_it_stands():
    assert partitions(BRANCHES, {3}) == (
        Partition(True, (0, 1, 2, 5, 6, 7, 8)),
        Partition(False, (3,)),
        Partition(True, (4, 9)),
    )
    assert partitions(BRANCHES, ()) == (Partition(True, tuple(range(10))),)


def test_a_graph_that_waits_for_nothing_known_ends():
    assert partitions(graph_of(("ADD", (2,), 1, "a"), ("ADD", (1,), 2, "b")), ()) == ()


def test_operators_follow_the_files_order_and_fused_ones_have_none():
    part = Partition(True, (0, 1, 2, 5, 6, 7, 8))
    names = (
        "Slice (ND, X8)",
        "Copy (NC, X8)",
        "Convolution (NHWC, QC8) IGEMM",
        "Convert (NC)",
        "Mean Squared (ND) Reduce2",
        "Add (ND)",
        "Unheard of (ND)",
    )
    assert aligned(BRANCHES, part, names) == [0, 1, 2, 5, 7, 8, 8]


def test_no_operator_is_sought_past_a_convolution():
    part = Partition(True, tuple(range(10)))
    names = ("Add (ND)", "Convolution (NHWC, F32) IGEMM", "Clamp (NC)", "Convolution (x)")
    assert aligned(BRANCHES, part, names) == [0, 2, 3, 4]


def run_of(*events: tuple[str, int, int]) -> list[Event]:
    whole = sum(nanoseconds for *_, nanoseconds in events) + 7
    return [
        Event("LiteRT::Run[buffer registration]", WHOLE, 0, 3),
        Event("Invoke", WHOLE, 0, whole),
        *(Event(name, OPERATION if name == "RELU" else DELEGATED, i, t) for name, i, t in events),
    ]


EVENTS = (
    ("Slice (ND, X8)", 0, 10),
    ("Copy (NC, X8)", 1, 20),
    ("Convolution (NHWC)", 2, 300),
    ("Convert (NC)", 3, 5),
    ("Mean Squared (ND)", 4, 6),
    ("Add (ND)", 5, 1),
    ("RELU", 3, 40),
    ("Convolution (NHWC)", 0, 200),
    ("Multiply (ND)", 1, 9),
)


def test_events_become_operations_of_the_file():
    runs = _litert._runs([*run_of(*EVENTS), *run_of(*EVENTS), *run_of(*EVENTS[:-1])])
    assert len(runs) == 2  # one of another shape is left out
    names = _litert._names(BRANCHES, {"conv": "conv2d", "again": "conv2d", "last": "image"})
    found = list(_litert._timed(BRANCHES, runs, names))
    assert [item.layer for item in found] == [
        "pad",
        "pad",
        "conv",
        "conv2d",
        "mean_1",
        "mean_1",
        "relu",
        "conv2d_1",
        "last",
    ]
    assert [item.samples_ns for item in found[:3]] == [(10, 10), (20, 20), (300, 300)]
    assert [item.delegate for item in found[5:8]] == ["XNNPACK", "LiteRT", "XNNPACK"]
    assert [bool(item.macs) for item in found] == [False] * 2 + [True] + [False] * 4 + [True, False]


def test_events_that_do_not_fit_the_parts_keep_their_own_names():
    strange = [*EVENTS, ("Convolution (NHWC)", 0, 1)]
    runs = _litert._runs(run_of(*strange))
    found = list(_litert._timed(BRANCHES, runs, _litert._names(BRANCHES, {})))
    assert found[0].layer == "Slice (ND, X8)"
    assert found[6].layer == "relu"


class Tiny(nn.Module):
    """Two convolutions with something between them that XNNPACK fuses or moves."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, content):
        features = self.first(content)
        shifted = F.relu(features) - features.mean((2, 3), keepdim=True)
        return torch.sigmoid(self.last(F.interpolate(shifted, scale_factor=2.0)))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    pytest.importorskip("litert_torch")
    from styleexport.exporter.targets.tflite import TARGET

    torch.manual_seed(0)
    size = Size(12, 16)
    content, image = (
        TensorFact(name=name, kind="image", shape=shape, dtype="float32", layout="NCHW")
        for name, shape in (("content", (1, 3, 12, 16)), ("image", (1, 3, 24, 32)))
    )
    module = Tiny().eval().requires_grad_(False)
    program = trace(module, example_inputs((content,), size), (content,), False, 1)
    graph = Graph(program, Role.STYLIZE, size, False, 1, (content,), (image,))
    path = tmp_path_factory.mktemp("profile") / "tiny.tflite"
    TARGET.write(graph, Recipe(), path, list)
    return path, graph.macs


@pytest.mark.parametrize(
    ("runner", "delegate"), [("litert", "XNNPACK"), ("litert-builtin", "LiteRT")]
)
def test_litert_times_the_convolutions_of_a_file(runner, delegate, file, monkeypatch):
    monkeypatch.setattr(_profiler, "SECONDS", 0.0)
    path, macs = file
    inputs = {"content": np.random.default_rng(0).random((1, 3, 12, 16), np.float32)}
    rows = profiles.operations(path, runner, RunOptions(threads=1), inputs, {"first": "conv2d"})
    multiplying = [row for row in rows if row.macs]
    assert [row.layer for row in multiplying] == ["first", "conv2d_1"]
    assert [row.macs for row in multiplying] == [3 * 4 * 9 * 12 * 16, 4 * 3 * 24 * 32]
    assert sum(row.macs for row in rows) == macs
    assert {row.delegate for row in multiplying} == {delegate}


def test_where_litert_cannot_be_asked_there_are_no_rows(file, monkeypatch):
    path, _ = file
    for options in (RunOptions(batch=2), RunOptions(settings={"delegate": "gpu"})):
        assert profiles.operations(path, "litert", options, {}, {}) == ()
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.1.6")
    assert profiles.operations(path, "litert", RunOptions(), {}, {}) == ()


def test_an_error_of_the_library_is_named(file):
    from styleexport.runtime_bench.profiles._litert_library import opened

    library = opened(file[0], {})
    assert library is not None
    with pytest.raises(BadArtifact, match=r"LiteRT cannot profile tiny.tflite: LiteRtGetModelSig"):
        library.call("LiteRtGetModelSignature", None, 0, None)
