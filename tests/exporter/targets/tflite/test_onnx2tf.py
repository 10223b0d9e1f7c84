"""The onnx2tf converter: what it makes of a run that fails, and real conversions."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from styleexport.core import environments
from styleexport.core.environments import Environment, Finished
from styleexport.core.errors import MissingExtra, UnsupportedOp
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.targets.tflite.converters._converter import find_converter
from styleexport.runtime_bench.formats._tflite import read_graph
from tests.cpu_guard import shared_work
from tests.zoo import Zoo

pytest.importorskip("ai_edge_litert")

CASES = [
    # As many rows as channels: a converter that goes by shapes takes one for the other.
    ("adain-lite", Role.TRANSFORM, "64x96"),
    # Sizes that no stride divides: the picture is cut at the end.
    ("adain-lite", Role.STYLIZE, "61x67"),
    ("adain-cd16x", Role.ENCODE, "61x67"),
    ("fast-style", Role.STYLIZE, "61x67"),
]
# The smallest: the same graph gives the same bytes.
CONVERTED_TWICE = ("adain-cd16x", Role.ENCODE)


@pytest.fixture(scope="module")
def environment(zoo: Zoo) -> None:
    """The real environment, kept between runs: its stamp says what it holds. CI makes it."""
    try:
        environments.find("onnx2tf")
    except MissingExtra:
        if os.environ.get("CI") != "true":
            pytest.skip("styleexport doctor --make-env onnx2tf")
        with FileLock(zoo.folder / "onnx2tf.lock"), shared_work("onnx2tf"):
            environments.make("onnx2tf")


def graph_of(network, role: Role, size: str) -> Graph:
    return apply_passes(capture(network, role, Size.parse(size), dynamic=False))[0]


def run_file(path: Path, graph: Graph) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    values = example_inputs(graph.inputs, graph.size)
    for entry, value in zip(interpreter.get_input_details(), values, strict=True):
        last = value.permute(0, 2, 3, 1) if value.dim() == 4 else value
        interpreter.set_tensor(entry["index"], last.contiguous().numpy())
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found.transpose(0, 3, 1, 2) if found.ndim == 4 else found


@pytest.mark.slow
@pytest.mark.parametrize(("network", "role", "size"), CASES)
def test_it_converts_without_transpositions(
    network, role, size, environment, random_network, tmp_path
):
    graph = graph_of(random_network(network), role, size)
    path = tmp_path / "a.tflite"
    find_converter("onnx2tf").convert(graph, path)
    if (network, role) == CONVERTED_TWICE:
        again = graph_of(random_network(network), role, size)
        find_converter("onnx2tf").convert(again, tmp_path / "b.tflite")
        assert path.read_bytes() == (tmp_path / "b.tflite").read_bytes()
    with torch.no_grad():
        module = graph.program.module(check_guards=False)
        expected = module(*example_inputs(graph.inputs, graph.size)).numpy()
    found = run_file(path, graph)
    assert found.shape == expected.shape
    error = np.square(found - expected).mean() / np.square(expected).max()
    assert -10 * np.log10(error) > 90
    file = read_graph(path)
    assert file.dynamic_tensors == ()
    ops = Counter(item.name for item in file.operations)
    assert ops["TRANSPOSE"] == 0
    assert ops["MIRROR_PAD"] == sum("pad" in node.name for node in graph.program.graph.nodes)


class Determinants(torch.nn.Module):
    """Brightens a picture by the determinants of its corners: left to others to compute."""

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        corner = content[:, :, :4, :4].reshape(3, 4, 4)
        return content + torch.linalg.det(corner).reshape(1, 3, 1, 1)


class Sampled(torch.nn.Module):
    """Moves a picture's pixels: converted with the output turned back to [1, 3, H, W]."""

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        grid = torch.zeros(1, 40, 56, 2) + content.mean()
        return torch.nn.functional.grid_sample(content, grid, align_corners=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Determinants(), r"no translation for the operation of .*det"),
        (Sampled(), r"tensors of \[\(1, 3, 40, 56\)\] instead of \[\(1, 40, 56, 3\)\]"),
    ],
)
def test_a_file_that_is_not_the_graph_is_refused(
    module, message, environment, random_network, tmp_path
):
    graph = graph_of(random_network("fast-style"), Role.STYLIZE, "40x56").with_module(module)
    with pytest.raises(UnsupportedOp, match=f"{message}; type --converter litert-torch"):
        find_converter("onnx2tf").convert(graph, tmp_path / "a.tflite")
    assert not (tmp_path / "a.tflite").exists()


@pytest.fixture
def broken(monkeypatch, tmp_path, random_network):
    """Convert a small graph with an onnx2tf that ends as told: what is raised."""
    graph = graph_of(random_network("adain-lite"), Role.ENCODE, "40x56")
    monkeypatch.setattr(environments, "find", lambda tool: Environment(tool, tmp_path))

    def convert(end: Finished | Exception) -> str:
        def run(*_: object) -> Finished:
            if isinstance(end, Exception):
                raise end
            return end

        monkeypatch.setattr(environments, "run", run)
        with pytest.raises(UnsupportedOp) as raised:
            find_converter("onnx2tf").convert(graph, tmp_path / "a.tflite")
        assert not (tmp_path / "a.tflite").exists()
        assert str(raised.value).endswith("; type --converter litert-torch")
        return str(raised.value)

    return convert


def test_a_run_that_fails_says_why(broken):
    output = (
        "Traceback (most recent call last):\n  File 'a.py', line 2\n    raise ValueError(error)\n"
        "\x1b[31mValueError: axis 7\x1b[0m\n\nDuring handling another happened\nKeyError: 3\n"
    )
    assert "cannot express the network: ValueError: axis 7; type" in broken(Finished(1, output))
    assert "network: Killed; type" in broken(Finished(-9, "one\nKilled\n"))
    assert "it printed nothing" in broken(Finished(1, ""))


def test_a_run_without_a_file_is_a_failure(broken):
    assert "cannot express the network: all is well" in broken(Finished(0, "all is well\n"))


def test_a_run_that_takes_too_long_is_a_failure(broken):
    assert broken(TimeoutError("onnx2tf took longer than 600 s")).startswith("onnx2tf took longer")


def test_a_missing_environment_is_told_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path))
    with pytest.raises(MissingExtra, match="styleexport doctor --make-env onnx2tf"):
        find_converter("onnx2tf").convert(None, tmp_path / "a.tflite")
