"""LiteRT with and without XNNPACK: layouts, layers, bad calls, and files that are not whole."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.core.manifest import TensorFact
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.targets._target import Recipe
from styleexport.runtime_bench.runners import _litert
from styleexport.runtime_bench.runners._litert_tensors import from_file
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner, runners_for

pytest.importorskip("litert_torch")

from styleexport.exporter.targets.tflite import TARGET
from styleexport.runtime_bench.formats._tflite_graph import TfliteTensor

SIZE = Size(12, 16)
RUNNERS = ("litert", "litert-builtin")


class Tiny(nn.Module):
    """Paints with a code: features scaled and shifted channel by channel."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, content, code, strength):
        features = F.relu(self.conv(content)) * code[:, :3, None, None]
        return torch.clamp(self.last(features + strength * code[:, 3:, None, None]), 0.0, 1.0)


def fact(name, kind, *shape):
    layout = {"image": "NCHW", "style_code": "NK", "strength": "N"}[kind]
    return TensorFact(name=name, kind=kind, shape=shape, dtype="float32", layout=layout)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    module = Tiny().eval().requires_grad_(False)
    inputs = (
        fact("content", "image", 1, 3, 12, 16),
        fact("style_code", "style_code", 1, 6),
        fact("strength", "strength", 1),
    )
    program = trace(module, example_inputs(inputs, SIZE), inputs, dynamic=False, min_side=1)
    outputs = (fact("image", "image", 1, 3, 12, 16),)
    return Graph(program, Role.TRANSFORM, SIZE, False, 1, inputs, outputs)


@pytest.fixture(scope="module")
def path(tiny, tmp_path_factory):
    file = tmp_path_factory.mktemp("litert") / "tiny.tflite"
    TARGET.write(tiny, Recipe(), file, list)
    return file


@pytest.fixture
def inputs(tiny):
    values = example_inputs(tiny.inputs, SIZE)
    return {item.name: x.numpy() for item, x in zip(tiny.inputs, values, strict=True)}


@pytest.mark.parametrize("name", RUNNERS)
def test_a_session_takes_and_gives_channels_first_images(name, tiny, path, inputs):
    with torch.no_grad():
        expected = tiny.module()(*map(torch.from_numpy, inputs.values())).numpy()
    with find_runner(name).open(path, RunOptions(threads=2)) as session:
        first = session(inputs)["image"]
        second = session({**inputs, "content": 1 - inputs["content"]})["image"]
        again = session(inputs)["image"]
    assert first.shape == (1, 3, 12, 16)
    assert first.dtype == np.float32
    assert np.abs(first - expected).max() < 1e-6
    assert np.abs(first - second).max() > 0.01
    assert np.array_equal(first, again)


def test_xnnpack_comes_first(path):
    names = [runner.name for runner in runners_for(path)]
    assert [name for name in names if name.startswith("litert")] == list(RUNNERS)


@pytest.mark.parametrize("name", RUNNERS)
def test_layers_are_channels_first_and_unknown_ones_left_out(name, tiny, path, inputs):
    found = find_runner(name).layers(path, inputs, ["relu", "image", "no_such_layer"])
    assert set(found) == {"relu", "image"}
    stored = tiny.program.state_dict
    bias, weight = (stored[key] for key in sorted(stored) if ".conv." in key)
    padded = F.pad(torch.from_numpy(inputs["content"]), (1, 1, 1, 1), mode="reflect")
    expected = F.relu(F.conv2d(padded, weight, bias)).numpy()
    assert found["relu"].shape == expected.shape
    assert np.abs(found["relu"] - expected).max() < 1e-6


def test_integer_tensors_are_dequantized():
    tensor = TfliteTensor("x", (1, 1, 1, 3), "int8", None, (0.5,), (-3,), 0)
    found = from_file(np.array([[[[-3, -1, 5]]]], np.int8), tensor)
    assert found.reshape(-1).tolist() == [0.0, 1.0, 4.0]
    assert found.shape == (1, 3, 1, 1)


@pytest.mark.parametrize("name", RUNNERS)
def test_a_call_that_does_not_fit_names_what_the_file_takes(name, path, inputs):
    swapped = {**inputs, "content": inputs["content"].transpose(0, 1, 3, 2)}
    with find_runner(name).open(path, RunOptions()) as session:
        with pytest.raises(UsageError, match=r"takes content \[1, 3, 12, 16\], got .*16, 12\]"):
            session(swapped)
        with pytest.raises(UsageError, match=r"takes style_code \[1, 6\], got content, strength"):
            session({key: inputs[key] for key in ("content", "strength")})


@pytest.mark.parametrize("kept", [0, 3, 7, 8, 40, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(kept, path, tmp_path):
    whole = path.read_bytes()
    length = kept if isinstance(kept, int) else int(kept * len(whole))
    damaged = tmp_path / "cut.tflite"
    damaged.write_bytes(whole[:length])
    with (
        pytest.raises(BadArtifact, match=r"cut\.tflite is not a") as caught,
        find_runner("litert").open(damaged, RunOptions()),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with (
        pytest.raises(BadArtifact, match="does not exist"),
        find_runner("litert").open(tmp_path / "none.tflite", RunOptions()),
    ):
        pass


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from styleexport.core.errors import StyleExportError
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner
inputs = dict(np.load(sys.argv[1]))
refused = 0
for path in sorted(Path(sys.argv[2]).glob("*.tflite")):
    for name in ("litert", "litert-builtin"):
        try:
            with find_runner(name).open(path, RunOptions()) as session:
                session(inputs)
        except StyleExportError:
            refused += 1
print(refused)
"""


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.INT8])
def test_edited_files_are_refused_or_run_but_never_end_the_process(
    precision, tiny, inputs, tmp_path
):
    from styleexport.exporter.targets.tflite.aeq import STATIC, quantize
    from styleexport.exporter.targets.tflite.int8 import activation_ranges, body
    from styleexport.runtime_bench.formats._tflite import read_graph

    source = tmp_path / "source" / "whole.tflite"
    source.parent.mkdir()
    TARGET.write(tiny, Recipe(), source, list)
    if precision is Precision.INT8:
        graph = read_graph(source)
        quantize(source, source, graph, body(graph), STATIC, activation_ranges(source, [inputs]))
    whole, rng = source.read_bytes(), random.Random(0)
    for number in range(120):
        edited = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            edited[rng.randrange(len(edited))] = rng.randrange(256)
        (tmp_path / f"{number}.tflite").write_bytes(edited)
    np.savez(tmp_path / "inputs.npz", **inputs)
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "inputs.npz", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == "", "LiteRT writes to the user's terminal"
    assert int(answer.stdout) > 60


def test_what_the_own_kernels_cannot_unfold_is_left_to_xnnpack(path, monkeypatch):
    monkeypatch.setattr(_litert, "MAX_IM2COL_VALUES", 100)
    own, words = find_runner("litert-builtin"), r"would unfold \d+ values in one .*, at most 100"
    with pytest.raises(DeviceError, match=words), own.open(path, RunOptions()):
        pass
    with find_runner("litert").open(path, RunOptions()):
        pass
