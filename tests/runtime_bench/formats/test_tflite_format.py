"""What `inspect` reads from a ``.tflite`` file, and what it warns of."""

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

pytest.importorskip("litert_torch")

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from styleexport.exporter.targets._target import Recipe
from styleexport.exporter.targets.tflite import TARGET
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._tflite_graph import (
    TfliteGraph,
    TfliteOperation,
    TfliteTensor,
)
from styleexport.runtime_bench.formats.tflite import _risks

SIZE = Size(12, 16)
CONTENT = TensorFact(
    name="content", kind="image", shape=(1, 3, 12, 16), dtype="float32", layout="NCHW"
)
IMAGE = TensorFact(name="image", kind="image", shape=(1, 3, 12, 16), dtype="float32", layout="NCHW")


class Tiny(nn.Module):
    """Down by two and up again."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 2, stride=2)

    def forward(self, x):
        return torch.sigmoid(self.up(F.relu(self.down(x))))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(0)
    module = Tiny().eval().requires_grad_(False)
    program = trace(module, example_inputs((CONTENT,), SIZE), (CONTENT,), False, 1)
    graph = Graph(program, Role.STYLIZE, SIZE, False, 1, (CONTENT,), (IMAGE,))
    file = tmp_path_factory.mktemp("format") / "tiny.tflite"
    TARGET.write(graph, Recipe(), file, list)
    assert graph.macs == describe(file).macs
    return file


def test_the_facts_of_a_float_file(path):
    found = describe(path)
    assert found.format == "TFLite"
    assert found.version.startswith("schema 3")
    assert found.size_bytes == path.stat().st_size
    assert found.macs == 8 * 27 * 6 * 8 + 3 * 4 * 8 * 6 * 8
    assert found.int8_mac_share == 0.0
    assert found.inputs == ("content: float32 [1, 12, 16, 3]",)
    assert found.outputs == ("image: float32 [1, 12, 16, 3]",)
    assert found.ops["CONV_2D"] == found.ops["TRANSPOSE_CONV"] == 1
    assert found.bytes_by_dtype["float32"] >= 4 * (8 * 27 + 3 * 4 * 8)
    assert found.peak_activation_bytes >= 4 * (12 * 16 * 3 * 2)
    assert found.risks == ()


def graph_of(*operations, shapes, dtypes=None, dynamic_tensors=(), constants=None):
    tensors = tuple(
        TfliteTensor(
            f"t{i}", shape, (dtypes or {}).get(i, "float32"), (constants or {}).get(i), (), (), 0
        )
        for i, shape in enumerate(shapes)
    )
    found = tuple(TfliteOperation(*item) for item in operations)
    return TfliteGraph(tensors, found, {"content": 0}, {"image": 1}, "", dynamic_tensors)


BIG, SMALL = (1, 256, 256, 8), (1, 8)
AXES = np.array([1, 2], np.int32).view(np.uint8)


@pytest.mark.parametrize(
    ("graph", "where", "reason", "remedy"),
    [
        (
            graph_of(("TRANSPOSE", (0,), (1,)), shapes=(BIG, BIG)),
            "TRANSPOSE t1",
            "copies the whole map",
            "litert-torch",
        ),
        (
            graph_of(("GATHER_ND", (0,), (1,)), shapes=(BIG, BIG)),
            "GATHER_ND t1",
            "the GPU delegate does not take GATHER_ND (GATHER_ND is none of its operations)",
            "run on the CPU",
        ),
        (
            graph_of(
                ("MEAN", (0, 3), (1,)),
                ("MEAN", (0, 3), (2,)),
                shapes=(BIG, SMALL, SMALL, (2,)),
                constants={3: AXES},
            ),
            "MEAN t1 and 1 more",
            "sum 65536 values",
            "precision loss",
        ),
        (
            graph_of(("RELU", (0,), (1,)), shapes=(BIG, BIG), dynamic_tensors=(0,)),
            "t0",
            "its shape is open",
            "--size",
        ),
        (
            graph_of(
                ("CONV_2D", (0, 2), (1,)),
                shapes=((1, 1024, 1024, 32), (1, 1024, 1024, 3), (3, 9, 9, 32)),
            ),
            "CONV_2D t1",
            "LiteRT's own kernels cannot load it",
            "XNNPACK",
        ),
    ],
)
def test_each_risk_names_a_place_and_a_remedy(graph, where, reason, remedy):
    (risk,) = _risks(graph)
    assert risk.where == where
    assert reason in risk.reason
    assert remedy in risk.remedy


def test_no_risk_where_there_is_none():
    small = ("MEAN", (0, 2), (1,))
    graph = graph_of(small, shapes=((1, 32, 32, 8), SMALL, (2,)), constants={2: AXES})
    assert list(_risks(graph)) == []


@pytest.mark.parametrize(
    ("dtypes", "share"),
    [
        ({0: "int8", 1: "int8", 2: "int8"}, 1.0),
        ({2: "int8"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_convolution_counts_as_int8_when_it_multiplies_int8_by_int8(dtypes, share):
    graph = graph_of(
        ("CONV_2D", (0, 2), (1,)), shapes=((1, 4, 4, 3), (1, 4, 4, 5), (5, 3, 3, 3)), dtypes=dtypes
    )
    assert graph.macs(graph.operations[0]) == 4 * 4 * 5 * 27
    assert graph.int8_mac_share() == share


def edited(path, folder, change):
    model = flatbuffer_utils.read_model(str(path))
    change(model)
    file = folder / "edited.tflite"
    file.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return file


def first(model, code):
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    codes = [names[item.builtinCode] for item in model.operatorCodes]
    return next(o for o in model.subgraphs[0].operators if codes[o.opcodeIndex] == code)


def no_stride(model):
    first(model, "CONV_2D").builtinOptions.strideH = 0


def unwritten(model):
    first(model, "CONV_2D").inputs[0] = model.subgraphs[0].outputs[0]


def outside(model):
    first(model, "CONV_2D").inputs[1] = 10_000


def too_large(model):
    model.subgraphs[0].tensors[first(model, "CONV_2D").inputs[1]].shape = [8, 3, 3, 4]


def two_graphs(model):
    model.subgraphs.append(model.subgraphs[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (no_stride, "CONV_2D has a stride, dilation or window below 1"),
        (unwritten, "CONV_2D reads a tensor that nothing has written"),
        (outside, "CONV_2D reads a tensor that nothing has written"),
        (too_large, r"stores 864 of 1152 bytes"),
        (two_graphs, "it holds 2 graphs, expected 1"),
    ],
)
def test_an_edited_file_is_refused_with_its_fault(change, reason, path, tmp_path):
    file = edited(path, tmp_path, change)
    with pytest.raises(BadArtifact, match=reason) as caught:
        describe(file)
    assert "export the network again" in str(caught.value)


def test_another_kind_of_file_is_refused(tmp_path):
    file = tmp_path / "x.tflite"
    file.write_text("not a network at all")
    with pytest.raises(BadArtifact, match="is not a TFLite file: expected TFL3"):
        describe(file)
