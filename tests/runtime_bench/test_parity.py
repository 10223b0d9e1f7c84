from __future__ import annotations

import contextlib
import platform
import shutil

import msgspec
import numpy as np
import onnx
import pytest

from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.psnr import EQUAL_DB, psnr_db
from styleexport.core.thresholds import CHOICE_DB, ROUNDED_DB, WHITENED_DB
from styleexport.core.types import Role
from styleexport.runtime_bench import parity
from styleexport.runtime_bench.bench.probe_check import repeated
from styleexport.runtime_bench.execution.onnx_profile import integer_mac_share
from styleexport.runtime_bench.formats._onnx_macs import macs_by_node
from styleexport.runtime_bench.parity import check_file, measure_parity, read_probe
from styleexport.runtime_bench.runners._runner import (
    RunOptions,
    find_runner,
    runner_for,
    runners_for,
)
from styleexport.runtime_bench.runners.onnxruntime import OnnxRuntime


@pytest.fixture
def transform(artifact):
    """The manifest entry of a file, and the tensors of its probe."""
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if "transform_64x96" in f.path)
    probe = next(p for p in manifest.probes if "transform_64x96" in p.path)
    return fact, read_probe(artifact, probe)


def parity_of(run, fact, *probes):
    (output,) = fact.outputs
    return measure_parity(
        lambda inputs: {output.name: run(inputs)},
        fact,
        probes,
        label="a.onnx",
        runner="fake",
        allowed_db=30.0,
    )


def test_every_picture_of_a_batch_counts(transform):
    fact, probe = transform
    batch = repeated(probe, 2)

    def run(inputs):
        assert list(inputs) == [item.name for item in fact.inputs]
        output = batch["image"].copy()
        output[1] += 0.1
        return output

    found = parity_of(run, fact, batch)
    assert found.measured_db == pytest.approx(23.01, abs=0.01)
    assert not found.passed
    assert found.max_abs_error == pytest.approx(0.1)


def test_the_worst_probe_counts(transform):
    fact, probe = transform
    outputs = iter([probe["image"], probe["image"] + np.float32(0.01), probe["image"]])
    found = parity_of(lambda _: next(outputs), fact, probe, probe, probe)
    assert (found.probes, found.measured_db) == (3, pytest.approx(40.0, abs=0.01))
    assert (found.runner, found.allowed_db, found.passed) == ("fake", 30.0, True)


def test_what_is_not_finite_does_not_pass(transform):
    fact, probe = transform
    found = parity_of(lambda _: np.full_like(probe["image"], np.nan), fact, probe)
    assert (found.measured_db, found.passed) == (0.0, False)


def test_another_shape_is_named(transform):
    fact, probe = transform
    turned = probe["image"].transpose(0, 1, 3, 2)
    with pytest.raises(
        BadArtifact, match=r"a\.onnx returned \[1, 3, 96, 64\], expected \[1, 3, 64, 96\]"
    ):
        parity_of(lambda _: turned, fact, probe)


def test_a_damaged_probe_is_named(artifact, tmp_path):
    fact = read_manifest(artifact).probes[0]
    (tmp_path / fact.path).parent.mkdir()
    (tmp_path / fact.path).write_bytes(b"no")
    with pytest.raises(BadArtifact, match=r"\.safetensors cannot be read"):
        read_probe(tmp_path, fact)


def test_a_probe_without_a_tensor_is_named(transform):
    fact, probe = transform
    del probe["style_code"]
    with pytest.raises(BadArtifact, match=r"the probe of a\.onnx holds no style_code"):
        parity_of(lambda _: probe["image"], fact, probe)


def test_psnr_is_the_textbooks():
    reference = np.zeros((1, 3, 4, 4), np.float32)
    assert psnr_db(reference + 0.1, reference, peak=1.0) == pytest.approx(20.0, abs=1e-4)
    assert psnr_db(reference, reference, peak=1.0) == EQUAL_DB
    assert psnr_db(reference + np.nan, reference, peak=1.0) == 0.0
    code = np.array([[4.0, -2.0]], np.float32)
    assert psnr_db(code + 0.04, code) == pytest.approx(40.0, abs=1e-3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda image: image[:, ::-1],
        lambda image: image[:, :, ::-1],
        lambda image: image[:, :, :, ::-1],
        lambda image: image * 0.9,
        lambda image: np.roll(image, 1, axis=2),
    ],
    ids=["bgr", "upside-down", "mirrored", "darker", "shifted"],
)
def test_a_probe_tells_every_common_mistake(artifact, damage):
    manifest = read_manifest(artifact)
    probe = next(p for p in manifest.probes if "transform_64x64" in p.path)
    content = read_probe(artifact, probe)["content"]
    assert psnr_db(damage(content), content, peak=1.0) < 35
    assert psnr_db(content.transpose(0, 1, 3, 2), content, peak=1.0) < 35


def test_the_captured_program_agrees_with_the_probe(artifact):
    manifest = read_manifest(artifact)
    program = next(p for p in manifest.programs if "transform_64x96" in p.path)
    probe = next(p for p in manifest.probes if "transform_64x96" in p.path)
    tensors = read_probe(artifact, probe)
    names = ("content", "style_code", "strength")
    path = artifact / program.path
    with runner_for(path).open(path, RunOptions(threads=1)) as session:
        output = session({name: tensors[name] for name in names})["image"]
    assert psnr_db(output, tensors["image"], 1.0) > 90


def test_a_swapped_file_is_caught(artifact, tmp_path):
    copy = shutil.copytree(artifact, tmp_path / "copy")
    manifest = read_manifest(copy)
    fact = next(f for f in manifest.files if "encode_64x96" in f.path)
    model = onnx.load(copy / fact.path)
    for item in model.graph.initializer:
        if len(item.dims) == 4:
            array = onnx.numpy_helper.to_array(item)
            item.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.01), item.name))
    onnx.save(model, copy / fact.path)
    (measured,) = check_file(copy, fact, manifest.probes)
    assert measured.runner == "onnxruntime"
    assert not measured.passed


def test_no_runner_reads_a_picture(tmp_path):
    with pytest.raises(UsageError, match=r"no runner reads x.png: expected .*\.onnx"):
        runner_for(tmp_path / "x.png")


def test_a_damaged_file_cannot_be_loaded(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not onnx")
    with (
        pytest.raises(BadArtifact, match="ONNX Runtime cannot load"),
        runner_for(path).open(path, RunOptions()),
    ):
        pass


def conv_model(groups: int = 1) -> onnx.ModelProto:
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    weight = np.ones((8, 4 // groups, 3, 3), np.float32)
    up = np.ones((8, 2, 2, 2), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], name="a", group=groups, pads=[1] * 4),
        helper.make_node("ConvTranspose", ["y", "u"], ["z"], name="b", strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", float_, [1, 4, 5, 6])],
        [helper.make_tensor_value_info("z", float_, [1, 2, 10, 12])],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(up, "u")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize("groups", [1, 2])
def test_macs_are_counted_as_executed(groups):
    macs = macs_by_node(conv_model(groups))
    assert macs == {"a": 8 * 5 * 6 * (4 // groups) * 9, "b": 8 * 5 * 6 * 2 * 4}


def test_a_float_file_has_no_integer_macs():
    model = conv_model()
    model.ir_version = 10
    assert integer_mac_share(model, {"x": np.ones((1, 4, 5, 6), np.float32)}) == 0


class Counted(OnnxRuntime):
    """ONNX Runtime under other names, its outputs darkened."""

    def __init__(self, name, factor=1.0, rounds=False, exact=None) -> None:
        self.name, self.factor, self.rounds_pictures, self.exact = name, factor, rounds, exact

    def in_float32(self):
        return self.exact

    @contextlib.contextmanager
    def open(self, path, options):
        with super().open(path, options) as session:
            yield lambda inputs: {k: v * self.factor for k, v in session(inputs).items()}


def test_every_runner_that_can_run_here_is_asked(artifact, monkeypatch):
    exact = Counted("exact")
    runners = (Counted("first", exact=exact), Counted("second", 0.9, rounds=True, exact=exact))
    monkeypatch.setattr(parity, "runners_for", lambda path: runners)
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    first, second = check_file(artifact, fact, manifest.probes)
    assert (first.runner, second.runner) == ("first", "second")
    assert first.passed
    assert not second.passed
    assert first.float32_db is second.float32_db is None
    half = msgspec.structs.replace(fact, float_dtype="float16")
    assert check_file(artifact, half, manifest.probes)[1].float32_db == first.measured_db


class Refuses(Counted):
    """A runner whose kernels cannot load the file."""

    def open(self, path, options):
        raise DeviceError(f"{self.name} cannot load {path.name}")


def test_a_runner_that_cannot_load_a_file_leaves_it_to_the_others(artifact, monkeypatch):
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    runners = (Refuses("small"), Counted("exact"))
    monkeypatch.setattr(parity, "runners_for", lambda path: runners)
    assert [p.runner for p in check_file(artifact, fact, manifest.probes)] == ["exact"]
    monkeypatch.setattr(parity, "runners_for", lambda path: runners[:1])
    with pytest.raises(DeviceError, match="small cannot load"):
        check_file(artifact, fact, manifest.probes)


def test_a_runner_that_rounds_pictures_is_held_to_less(artifact, monkeypatch):
    runners = (Counted("exact"), Counted("rounds", rounds=True))
    monkeypatch.setattr(parity, "runners_for", lambda path: runners)
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    assert [p.allowed_db for p in check_file(artifact, fact, manifest.probes)] == [90, 90]
    pixels = tuple(msgspec.structs.replace(t, dtype="uint8") for t in fact.outputs)
    fact = msgspec.structs.replace(fact, outputs=pixels)
    found = check_file(artifact, fact, manifest.probes)
    assert [p.allowed_db for p in found] == [90, ROUNDED_DB]


def test_a_file_without_a_probe_or_with_the_wrong_one_is_named(artifact):
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    with pytest.raises(BadArtifact, match=f"has no probe for {fact.path}"):
        check_file(artifact, fact, [p for p in manifest.probes if p.role is Role.ENCODE])
    encode = next(p for p in manifest.probes if p.role is Role.ENCODE and p.size == fact.size)
    wrong = msgspec.structs.replace(encode, role=Role.TRANSFORM)
    with pytest.raises(BadArtifact, match=r"holds no content, found \['style', 'style_code'\]"):
        check_file(artifact, fact, [wrong])


def test_a_package_is_read_by_what_can_run_here(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    path = tmp_path / "x.mlpackage"
    assert [runner.name for runner in runners_for(path)] == ["coreml-reference"]
    assert find_runner("coreml").unavailable() == "Core ML runs on macOS, this is Linux"
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert [runner.name for runner in runners_for(path)] == ["coreml", "coreml-reference"]


def test_a_file_that_nothing_here_can_run_says_why(tmp_path, monkeypatch):
    runner = find_runner("onnxruntime")
    monkeypatch.setattr(type(runner), "unavailable", lambda self: "no such chip", raising=False)
    with pytest.raises(DeviceError, match=r"x.onnx cannot run here: onnxruntime: no such chip"):
        runner_for(tmp_path / "x.onnx")


def test_layers_of_a_file_and_of_its_program_agree(artifact):
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if "transform_64x96" in f.path)
    program = next(p for p in manifest.programs if "transform_64x96" in p.path)
    probe = next(p for p in manifest.probes if "transform_64x96" in p.path)
    tensors = read_probe(artifact, probe)
    inputs = {item.name: tensors[item.name] for item in fact.inputs}
    found = find_runner("onnxruntime").layers(
        artifact / fact.path, inputs, ["absent", *fact.layers.values()]
    )
    assert set(found) == set(fact.layers.values())
    expected = find_runner("torch").layers(
        artifact / program.path, inputs, ["absent", *fact.layers]
    )
    shared = [layer for layer in fact.layers if layer in expected]
    convolutions = [layer for layer in shared if layer.startswith("conv2d")]
    assert len(convolutions) > 5
    for layer in convolutions[:3]:
        np.testing.assert_allclose(found[fact.layers[layer]], expected[layer], atol=1e-3)


def test_a_file_that_chooses_is_held_to_less(artifact):
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    choosing = msgspec.structs.replace(fact, ops={**fact.ops, "ArgMax": 1})
    assert check_file(artifact, choosing, manifest.probes)[0].allowed_db == CHOICE_DB
    whitening = msgspec.structs.replace(fact, whitens=True)
    assert check_file(artifact, whitening, manifest.probes)[0].allowed_db == WHITENED_DB
    code = next(f for f in manifest.files if f.role is Role.ENCODE)
    code = msgspec.structs.replace(code, ops={**code.ops, "ArgMax": 1})
    assert check_file(artifact, code, manifest.probes)[0].allowed_db == 90
