"""LiteRT's operations in float16: what is rounded, what overflows, and which files it proves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from styleexport.core.errors import UnsupportedOp, UsageError
from styleexport.core.manifest import TensorFact
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.targets._target import Recipe
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner, runners_for

pytest.importorskip("litert_torch")

from styleexport.exporter.targets.tflite import TARGET
from styleexport.exporter.targets.tflite.int8_weights import half_weights, int8_weights

SIZE = Size(12, 16)
F = torch.nn.functional


class Layers(nn.Module):
    """A convolution whose sums cancel, a transposed, a grouped one, a linear layer, and a mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 12, 3, padding=1)
        self.second = nn.Conv2d(12, 12, 3, padding=1, bias=False)
        self.up = nn.ConvTranspose2d(12, 8, 2, stride=2)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.last = nn.Conv2d(8, 3, 1)
        self.linear = nn.Linear(12, 8)

    def forward(self, content):
        x = F.relu(self.second(F.relu(self.first(content))))
        gate = torch.sigmoid(self.linear(x.mean((2, 3))))[:, :, None, None]
        x = F.avg_pool2d(F.relu6(self.up(x)), 2) * gate
        return torch.sigmoid(self.last(self.grouped(x)))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The graph, its float32 file, and the same with fp16 weights."""
    module = Layers().eval().requires_grad_(False)
    shape = (1, 3, SIZE.height, SIZE.width)
    image = TensorFact(name="content", kind="image", shape=shape, dtype="float32", layout="NCHW")
    inputs, outputs = (
        (image,),
        (TensorFact(name="image", kind="image", shape=shape, dtype="float32", layout="NCHW"),),
    )
    program = trace(module, example_inputs(inputs, SIZE), inputs, dynamic=False, min_side=1)
    graph = Graph(program, Role.STYLIZE, SIZE, False, 1, inputs, outputs)
    folder = tmp_path_factory.mktemp("half")
    exact, half = folder / "a_fp32.tflite", folder / "a_fp16.tflite"
    feeds = [{"content": example_inputs(inputs, SIZE)[0].numpy()}]
    TARGET.write(graph, Recipe(Precision.FP32), exact, lambda: feeds)
    half_weights(exact, half)
    return graph, exact, half, feeds


def run(path, feed, name="litert-half"):
    with find_runner(name).open(path, RunOptions(threads=1)) as session:
        return session(feed)["image"]


def test_it_proves_files_with_float16_weights_alone(files):
    _, exact, half, _ = files
    assert [x.name for x in runners_for(exact)] == ["litert", "litert-builtin"]
    assert [x.name for x in runners_for(half)] == ["litert", "litert-builtin", "litert-half"]


def test_it_computes_what_litert_computes_but_for_rounding(files):
    _, exact, half, (feed,) = files
    expected = run(exact, feed, "litert")
    for path in (exact, half):
        db = psnr_db(run(path, feed), expected, 1.0)
        assert 55 < db < 100, path.name


def test_layers_are_those_of_the_file_in_float16(files):
    graph, exact, _, (feed,) = files
    names = tuple(graph.layer_names())
    found = find_runner("litert-half").layers(exact, feed, names)
    expected = find_runner("litert").layers(exact, feed, names)
    assert found.keys() == expected.keys() != set()
    for name, value in found.items():
        np.testing.assert_array_equal(value, value.astype(np.float16).astype(np.float32))
        assert psnr_db(value, expected[name]) > 45, name


def test_running_sums_overflow_where_results_do_not(files, monkeypatch):
    """Values of 60,000 of one sign first, then of the other."""
    from styleexport.runtime_bench.runners import _litert_half

    _, exact, _, _ = files
    program = _litert_half.HalfProgram(exact, 1)
    tensors = program.graph.tensors
    convolutions = [item for item in program.graph.operations if item.name == "CONV_2D"]
    operation = next(x for x in convolutions if tensors[x.inputs[0]].shape[-1] == 12)
    weight = np.zeros_like(program._values[operation.inputs[1]])
    weight[..., :6], weight[..., 6:] = 4000.0, -4000.0
    program._values[operation.inputs[1]] = weight
    stored = program._model.subgraphs[0].operators[program.graph.operations.index(operation)]
    step = program._step(operation, stored)
    maps = np.ones(tensors[operation.inputs[0]].shape, np.float32)
    (found,) = step({operation.inputs[0]: maps, **program._values})
    assert not np.isfinite(found).all()
    monkeypatch.setattr(_litert_half, "BLOCK", 12)
    (found,) = program._step(operation, stored)({operation.inputs[0]: maps, **program._values})
    assert np.isfinite(found).all()


def test_integer_files_and_batches_are_refused(files, tmp_path):
    _, exact, _, feeds = files
    path = tmp_path / "int8.tflite"
    int8_weights(exact, path, feeds)
    with pytest.raises(UnsupportedOp, match=r"computes in integers.*--runner litert"):
        run(path, feeds[0])
    with (
        pytest.raises(UsageError, match="one picture at a time; type --batch 1, not 2"),
        find_runner("litert-half").open(exact, RunOptions(batch=2)),
    ):
        pass
