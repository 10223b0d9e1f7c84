from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.onnx_macs import integer_mac_share, macs_by_node
from styleexport.runtime_bench.parity import EQUAL_DB, check_file, psnr_db, read_probe
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for


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
    measured = check_file(copy, fact, manifest.probes)
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


def test_a_float_file_has_no_integer_macs(tmp_path):
    model = conv_model()
    model.ir_version = 10
    onnx.save(model, tmp_path / "x.onnx")
    assert integer_mac_share(tmp_path / "x.onnx", {"x": np.ones((1, 4, 5, 6), np.float32)}) == 0
