"""Runners with settings: what may be asked, what is really used, batches, and who proves files."""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from styleexport.core import plugins
from styleexport.core.errors import DeviceError, MissingExtra, UsageError
from styleexport.core.program import save_program
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.parity import read_probe
from styleexport.runtime_bench.runners._choice import parse_runner
from styleexport.runtime_bench.runners._runner import (
    PACKAGE,
    RunOptions,
    any_runner,
    find_runner,
    runners_for,
)
from tests.zoo import load_own

STEM = "adain-lite_transform_64x96"
INPUTS = ("content", "style_code", "strength")


@pytest.fixture(scope="module")
def probe(artifact):
    from styleexport.core.manifest import read_manifest

    (fact,) = [p for p in read_manifest(artifact).probes if STEM in p.path]
    return read_probe(artifact, fact)


def painted(runner, path, probe, batch=1, threads=1, **settings):
    """PSNR of what a runner paints of so many copies of the probe, and its settings."""
    copies = {k: np.repeat(v, batch, axis=0) if v.ndim > 1 else v for k, v in probe.items()}
    options = RunOptions(threads, batch, settings)
    with find_runner(runner).open(path, options) as session:
        image = session({name: copies[name] for name in INPUTS})["image"]
        return psnr_db(image, copies["image"], 1.0), dict(session.effective())


@pytest.mark.parametrize("name", plugins.names(PACKAGE))
def test_every_choice_may_be_typed_and_answers_whether_it_is_here(name):
    runner = any_runner(name)
    assert parse_runner(name) == RunnerChoice(name)
    for key, values in runner.choices.items():
        for value in values:
            typed = f"{name}:{key}={value.upper()}"
            assert parse_runner(typed) == RunnerChoice(name, {key: value})
            reason = runner.unavailable({key: value})
            assert reason is None or (reason and "\n" not in reason)
        assert runner.setting({}, key) == values[0]


def test_settings_are_typed_by_commas_in_any_order():
    choice = parse_runner("torch:mode=compile, dtype=bf16")
    assert choice == RunnerChoice("torch", {"dtype": "bf16", "mode": "compile"})
    assert str(choice) == "torch:dtype=bf16,mode=compile"
    assert str(parse_runner("torch")) == "torch"


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("onyxruntime", ["unknown runner 'onyxruntime'", "did you mean onnxruntime?"]),
        ("torch:speed=fast", ["torch has no setting 'speed'", "dtype=fp32|tf32|fp16|bf16"]),
        ("torch:dtype=fp8", ["takes dtype=fp32 or tf32", "got 'fp8'", "torch:dtype=fp32"]),
        ("torch:dtype", ["torch has no setting 'dtype'"]),
        ("litert-builtin:delegate=gpu", ["takes none", "--runner litert-builtin"]),
    ],
)
def test_what_may_not_be_typed_is_answered_with_what_may(typed, parts):
    with pytest.raises(UsageError) as caught:
        parse_runner(typed)
    for part in parts:
        assert part in str(caught.value)


def test_files_are_proven_by_the_same_runners_as_ever(artifact):
    names = [runner.name for runner in runners_for(artifact / f"{STEM}_fp32.onnx")]
    assert names == ["onnxruntime"]


def test_providers_that_the_build_lacks_are_named_with_those_it_has():
    reason = find_runner("onnxruntime").unavailable({"provider": "tensorrt"})
    if "TensorrtExecutionProvider" not in ort.get_available_providers():
        assert reason is not None
        assert f"ONNX Runtime {ort.__version__} has no tensorrt, it has " in reason
        assert "cpu" in reason.split("it has ")[1]


def test_a_provider_that_does_not_start_is_not_replaced_in_silence(artifact, monkeypatch):
    class Session:
        def __init__(self, *_):
            pass

        def get_providers(self):
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(ort, "InferenceSession", Session)
    path = artifact / f"{STEM}_fp32.onnx"
    options = RunOptions(settings={"provider": "cuda"})
    with (
        pytest.raises(DeviceError, match="cannot start CUDAExecutionProvider here and would use"),
        find_runner("onnxruntime").open(path, options),
    ):
        pass


def test_onnxruntime_says_who_took_how_many_nodes(artifact, probe):
    measured, effective = painted("onnxruntime", artifact / f"{STEM}_fp32.onnx", probe)
    assert measured > 90
    assert effective["provider"] == "CPU"
    assert effective["threads"] == "1"
    assert effective["partitions"] == "1"
    assert int(effective["nodes"].removeprefix("CPU ")) > 50


class Part:
    def __init__(self, name, nodes):
        self.ep_name, self._nodes = name, nodes

    def get_nodes(self):
        return [object()] * self._nodes


def test_partitions_are_counted_where_another_provider_takes_some():
    from styleexport.runtime_bench.runners.onnxruntime import _effective

    class Session:
        def get_providers(self):
            return ["CoreMLExecutionProvider", "CPUExecutionProvider"]

        def get_session_options(self):
            return ort.SessionOptions()

        def get_provider_graph_assignment_info(self):
            core_ml = [Part("CoreMLExecutionProvider", n) for n in (10, 20, 30)]
            return [*core_ml, *[Part("CPUExecutionProvider", 1)] * 4]

    assert _effective(Session()) == {
        "provider": "CoreML",
        "threads": "chosen by ONNX Runtime",
        "nodes": "CPU 4, CoreML 60",
        "partitions": "3",
    }


@pytest.mark.parametrize("runner", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("which", ["artifact", "int8_artifact"])
def test_batches_of_fixed_onnx_files(request, runner, which):
    if find_runner(runner).unavailable():
        pytest.skip(f"no {runner}")
    from styleexport.core.manifest import read_manifest

    folder = request.getfixturevalue(which)
    (fact,) = [p for p in read_manifest(folder).probes if STEM in p.path]
    (path,) = folder.glob(f"{STEM}_*.onnx")
    alone, _ = painted(runner, path, read_probe(folder, fact))
    three, _ = painted(runner, path, read_probe(folder, fact), batch=3)
    assert three == pytest.approx(alone, abs=3)


def test_torch_takes_batches_of_a_program_captured_with_one(artifact, probe):
    measured, effective = painted("torch", artifact / f"programs/{STEM}.pt2", probe, batch=2)
    assert measured > 90
    assert effective == {
        "device": "cpu",
        "dtype": "fp32",
        "mode": "eager",
        "threads": "1",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "onednn": "yes" if torch.backends.mkldnn.is_available() else "no",
    }


def test_torch_in_half_precision_says_so_and_rounds(artifact, probe):
    path = artifact / f"programs/{STEM}.pt2"
    whole, _ = painted("torch", path, probe)
    half, effective = painted("torch", path, probe, dtype="bf16", layout="channels-last")
    assert effective["dtype"] == "bf16"
    assert 15 < half < 80 < whole


def test_torch_has_what_its_settings_need(monkeypatch):
    runner = find_runner("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "CUDA" in (runner.unavailable({"device": "cuda"}) or "")
    assert "add device=cuda" in (runner.unavailable({"dtype": "tf32"}) or "")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "needs a C++ compiler" in (runner.unavailable({"mode": "compile"}) or "")
    assert runner.unavailable({}) is None


def test_tf32_is_off_unless_asked_for_and_put_back(artifact):
    path = artifact / f"programs/{STEM}.pt2"
    before = torch.backends.cudnn.allow_tf32
    with find_runner("torch").open(path, RunOptions()):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    with find_runner("torch").open(path, RunOptions(settings={"dtype": "tf32"})):
        assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.slow
def test_torch_compiled_computes_the_same(tmp_path):
    """Of few layers: a compiler takes seconds for each."""
    reason = find_runner("torch").unavailable({"mode": "compile"})
    if reason:
        pytest.skip(reason)
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3, padding=1), nn.InstanceNorm2d(4), nn.Conv2d(4, 3, 1), nn.Sigmoid())
    network, path = load_own(nn.Sequential(*layers)), tmp_path / "mine.pt2"
    save_program(capture(network, Role.STYLIZE, Size(32, 48)).program, path)
    content = torch.rand(1, 3, 32, 48)
    options = RunOptions(1, 1, {"mode": "compile"})
    with find_runner("torch").open(path, options) as session, torch.no_grad():
        image = session({"content": content.numpy()})["image"]
        assert psnr_db(image, network.module(content).numpy(), 1.0) > 90
        assert session.effective()["mode"] == "compile"


def test_openvino_reports_precision_threads_and_integers(artifact, int8_artifact, probe):
    pytest.importorskip("openvino")
    measured, effective = painted("openvino", artifact / f"{STEM}_fp32.onnx", probe)
    assert measured > 90
    assert (effective["device"], effective["precision"]) == ("CPU", "f32")
    assert (effective["threads"], effective["integer_mac_share"]) == ("1", "0.0000")
    with find_runner("openvino").open(int8_artifact / f"{STEM}_int8.onnx", RunOptions()) as session:
        assert float(session.effective()["integer_mac_share"]) > 0.9


def test_openvino_is_optional(monkeypatch, artifact):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    runner = find_runner("openvino")
    line = "OpenVINO is not installed: pip install 'styleexport[bench]'"
    assert runner.unavailable() == line
    with pytest.raises(MissingExtra, match=r"pip install 'styleexport\[bench\]'"):
        runner.start()


def test_openvino_without_the_device():
    pytest.importorskip("openvino")
    import openvino

    if "NPU" not in openvino.Core().available_devices:
        reason = find_runner("openvino").unavailable({"device": "npu"})
        assert reason is not None
        assert reason.startswith("OpenVINO finds no NPU here, only CPU")


def test_core_ml_takes_one_picture_on_the_units_asked_for():
    runner = find_runner("coreml")
    assert parse_runner("coreml:units=cpu-ane").settings == {"units": "cpu-ane"}
    if sys.platform != "darwin":
        assert runner.unavailable({"units": "cpu"}) == f"Core ML runs on macOS, this is {PLATFORM}"


PLATFORM = {"linux": "Linux", "win32": "Windows"}.get(sys.platform, sys.platform)
