"""The clamp at the end of a TFLite file, in operations that a GPU takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace

pytest.importorskip("litert_torch")

from styleexport.exporter.targets.tflite.clamps import split_clamps
from styleexport.exporter.targets.tflite.converters.litert_torch import CONVERTER
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_gpu import gpu_text
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

SIZE = Size(8, 12)
SHAPE = (1, 3, 8, 12)
CONTENT = TensorFact(name="content", kind="image", shape=SHAPE, dtype="float32", layout="NCHW")
IMAGE = TensorFact(name="image", kind="image", shape=SHAPE, dtype="float32", layout="NCHW")


class Twice(nn.Module):
    """Clamps before and after a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return (self.conv((x * 3 - 1).clamp(0, 1)) * 3).clamp(0, 1)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(0)
    program = trace(
        Twice().eval().requires_grad_(False), example_inputs((CONTENT,), SIZE), (CONTENT,), False, 1
    )
    file = tmp_path_factory.mktemp("clamps") / "twice.tflite"
    CONVERTER.convert(Graph(program, Role.STYLIZE, SIZE, False, 1, (CONTENT,), (IMAGE,)), file)
    return file


def output(path):
    values = np.random.default_rng(0).random(SHAPE, np.float32)
    graph = read_graph(path)
    with find_runner("litert").open(path, RunOptions()) as session:
        (found,) = session(dict.fromkeys(graph.inputs, values)).values()
    return found


def test_the_clamps_are_split_and_the_values_stay_bit_for_bit(path):
    before = read_graph(path)
    names = [item.name for item in before.operations]
    assert names.count("RELU_0_TO_1") == 2
    expected = output(path)
    assert expected.min() == 0
    assert expected.max() == 1
    split_clamps(path)
    after = read_graph(path)
    found = [item.name for item in after.operations]
    assert "RELU_0_TO_1" not in found
    assert found.count("MINIMUM") == 2
    assert gpu_text(after) == f"whole: all {len(names) + 2} operations"
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    np.testing.assert_array_equal(output(path), expected)


def test_a_file_without_a_clamp_is_left_alone(path):
    split_clamps(path)
    content = path.read_bytes()
    split_clamps(path)
    assert path.read_bytes() == content
