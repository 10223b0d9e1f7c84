"""The table of layers, from made-up profiles and from every runtime that is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec
import numpy as np
import pytest

from styleexport.core import plugins
from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import Manifest, read_manifest
from styleexport.runtime_bench import profiles
from styleexport.runtime_bench.contract.latency import OperationFact
from styleexport.runtime_bench.profiles import _profiler
from styleexport.runtime_bench.profiles._profiler import (
    Profile,
    TimedOperation,
    by_tensor,
    repeated,
)
from styleexport.runtime_bench.runners._runner import RunOptions


@pytest.fixture(autouse=True)
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_profiler, "SECONDS", 0.0)


def test_operations_of_one_layer_are_one_row_named_by_the_longest():
    found = Profile(
        (
            TimedOperation("conv", "Reorder", (10, 12, 11), delegate="CPU"),
            TimedOperation("relu", "Relu", (5, 5, 90)),
            TimedOperation("conv", "Conv", (100, 300, 200), 64, "XNNPACK"),
        ),
        (130, 330, 320),
    )
    conv, relu, other = profiles.folded(found)
    assert conv == OperationFact(layer="conv", op="Conv", time_ns=211, macs=64, delegate="XNNPACK")
    assert (relu.layer, relu.time_ns) == ("relu", 5)
    assert (other.layer, other.time_ns) == ("other", 15)  # of 15, 13 and 19


def test_what_is_not_left_makes_no_row():
    times = (TimedOperation("a", "A", (50, 50)),)
    assert [row.layer for row in profiles.folded(Profile(times, (50, 50)))] == ["a"]
    assert [row.layer for row in profiles.folded(Profile(times, ()))] == ["a"]
    assert list(profiles.folded(Profile((), ()))) == []


def test_texts_and_rows_fit_the_report():
    many = tuple(TimedOperation(f"{n}" * 200, "op" * 400, (1,)) for n in range(6000))
    rows = profiles.fitting(Profile(many, (10_000,)))
    assert len(rows) == 5000
    assert rows[-1].layer == "other"
    assert msgspec.json.decode(msgspec.json.encode(rows), type=tuple[OperationFact, ...]) == rows


def test_the_first_of_merged_layers_names_a_tensor():
    assert by_tensor({"sub": "t", "sub_again": "t", "mul": "u"}) == {"t": "sub", "u": "mul"}


def test_runs_are_five_to_fifty(monkeypatch: pytest.MonkeyPatch):
    followed: list[int] = []
    assert len(repeated(lambda: None, lambda: followed.append(1))) == len(followed) == 5
    monkeypatch.setattr(_profiler, "SECONDS", 1000.0)
    assert len(repeated(lambda: None)) == 50


def inputs_of(manifest: Manifest) -> dict[str, np.ndarray]:
    """Inputs of the first transform file."""
    file = next(item for item in manifest.files if item.role == "transform")
    rng = np.random.default_rng(0)
    return {item.name: rng.random(item.shape, np.float32) for item in file.inputs}


RUNNERS = {"onnxruntime": ".onnx", "openvino": ".onnx", "torch": ".pt2"}


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_convolution_stands_with_its_macs(runner: str, artifact: Path):
    if runner == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    manifest = read_manifest(artifact)
    file = next(item for item in manifest.files if item.role == "transform")
    program = next(item for item in manifest.programs if item.role == "transform")
    path = artifact / (program.path if runner == "torch" else file.path)
    options = RunOptions(threads=1)
    rows = profiles.operations(path, runner, options, inputs_of(manifest), file.layers)
    # The program is as it was captured, before convolutions were computed at a lower resolution.
    assert sum(row.macs for row in rows) == (168_099_840 if runner == "torch" else file.macs)
    assert len([row for row in rows if row.macs]) == 12
    assert len([row for row in rows if row.layer in file.layers]) > 0.7 * len(rows)
    assert all(row.delegate for row in rows if row.layer != "other")


def test_several_pictures_multiply_the_work(artifact: Path):
    manifest = read_manifest(artifact)
    file = next(item for item in manifest.files if item.role == "transform")
    inputs = {
        name: np.repeat(x, 2, axis=0) if x.ndim > 1 else x
        for name, x in inputs_of(manifest).items()
    }
    options = RunOptions(threads=1, batch=2)
    rows = profiles.operations(artifact / file.path, "onnxruntime", options, inputs, file.layers)
    assert sum(row.macs for row in rows) == 2 * file.macs


def test_the_int8_file_is_timed_by_layer_too(int8_artifact: Path):
    manifest = read_manifest(int8_artifact)
    file = next(item for item in manifest.files if item.role == "transform")
    rows = profiles.operations(
        int8_artifact / file.path,
        "onnxruntime",
        RunOptions(threads=1),
        inputs_of(manifest),
        file.layers,
    )
    assert sum(row.macs for row in rows) == file.macs
    integer = {row.layer for row in rows if row.op == "QLinearConv"}
    assert "conv2d" in integer
    assert not any("uint8" in row.layer or "token" in row.layer for row in rows)


def test_what_tells_no_times_gives_no_rows(artifact: Path):
    path = artifact / "none.onnx"
    assert profiles.operations(path, "browser", RunOptions(), {}, {}) == ()
    behind = RunOptions(settings={"provider": "cuda"})
    assert profiles.operations(path, "onnxruntime", behind, {}, {}) == ()
    compiled = RunOptions(settings={"mode": "compile"})
    assert profiles.operations(path, "torch", compiled, {}, {}) == ()


def test_a_file_that_does_not_run_is_said_in_one_line(artifact: Path):
    manifest = read_manifest(artifact)
    path = artifact / manifest.files[0].path
    with pytest.raises(BadArtifact, match="ONNX Runtime cannot run the file"):
        profiles.operations(path, "onnxruntime", RunOptions(), {}, {})


def test_every_profiler_is_one_of_a_runner():
    runners = plugins.names("styleexport.runtime_bench.runners")
    assert set(plugins.names(_profiler.PACKAGE)) <= set(runners)
