from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import read_manifest, sha256_of_file, write_manifest
from styleexport.core.psnr import EQUAL_DB
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.runtime_bench.diff.diff import diff_files, diff_tensors
from styleexport.runtime_bench.diff.heat_map import CYAN, colour_ramp, heat_map, scale_top

WHOLE = "adain-lite_transform_64x96_fp32.onnx"
BROKEN = "adain-lite_transform_64x96_broken.onnx"


def scale_weights(path: Path, layer: str, factor: float) -> None:
    """Multiply the weights of one convolution of an ONNX file."""
    model = onnx.load(path)
    node = next(node for node in model.graph.node if layer in node.output)
    weight = next(item for item in model.graph.initializer if item.name == node.input[1])
    array = onnx.numpy_helper.to_array(weight) * np.float32(factor)
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    onnx.save(model, path)


@pytest.fixture(scope="module")
def damaged(artifact, tmp_path_factory):
    """The small artifact, with a second transform file whose third convolution is wrong."""
    copy = shutil.copytree(artifact, tmp_path_factory.mktemp("damaged") / "lite")
    shutil.copy(copy / WHOLE, copy / BROKEN)
    scale_weights(copy / BROKEN, "conv2d_2", 1.2)
    manifest = read_manifest(copy)
    fact = next(fact for fact in manifest.files if fact.path == WHOLE)
    other = msgspec.structs.replace(fact, path=BROKEN, sha256=sha256_of_file(copy / BROKEN))
    write_manifest(msgspec.structs.replace(manifest, files=(*manifest.files, other)), copy)
    return copy


@pytest.fixture(scope="module")
def found(damaged):
    return diff_files(damaged / WHOLE, damaged / BROKEN, layers=True)


def test_the_layer_that_was_broken_is_the_first_that_parts(found):
    report = found.report
    assert report.first is not None
    assert report.before is not None
    assert report.first.name == "conv2d_2"
    names = [layer.name for layer in report.layers]
    at = names.index("conv2d_2")
    assert [layer.psnr_db for layer in report.layers[:at]] == [EQUAL_DB] * at
    assert report.before.name == names[at - 1]
    assert {"conv2d", "relu", "conv2d_1", "relu_1"} <= set(names[:at])
    assert report.first.max_abs_error > 0
    assert report.first.shape[:2] == (1, 64)


def test_the_worst_layers_come_worst_first(found):
    worst = found.report.worst_layers()
    assert len(worst) == 10
    figures = [layer.psnr_db for layer in worst]
    assert figures == sorted(figures)
    assert figures[0] == min(layer.psnr_db for layer in found.report.layers)


def test_a_lower_threshold_names_no_layer(damaged):
    report = diff_files(damaged / WHOLE, damaged / BROKEN, layers=True, threshold_db=-50).report
    assert (report.first, report.before) == (None, None)


def test_without_layers_only_the_output_is_compared(damaged):
    found = diff_files(damaged / WHOLE, damaged / BROKEN)
    report = found.report
    assert (report.layers, report.layer_runners, report.first) == ((), (), None)
    assert report.runners == ("onnxruntime", "onnxruntime")
    error = np.abs(found.output_a - found.output_b)
    assert report.output.max_abs_error == pytest.approx(error.max(), rel=1e-2)
    assert error[report.output.worst] == error.max()
    assert 5 < report.output.psnr_db < 60


def test_a_file_is_equal_to_itself(damaged):
    report = diff_files(damaged / WHOLE, damaged / WHOLE).report
    assert (report.output.psnr_db, report.output.worst) == (EQUAL_DB, None)


def test_style_codes_are_compared_by_their_own_peak(artifact):
    path = artifact / "adain-lite_encode_64x64_fp32.onnx"
    found = diff_files(path, path, layers=True)
    assert not found.is_picture
    assert found.output_a.shape[0] == 1
    assert found.report.size.size() == Size(64, 64)
    assert found.report.left_out == 0


@pytest.mark.parametrize(
    ("a", "b", "size", "error", "message"),
    [
        (
            WHOLE,
            "adain-lite_encode_64x96_fp32.onnx",
            None,
            UsageError,
            "computes transform and .* encode: name two files of one role",
        ),
        (
            WHOLE,
            "adain-lite_transform_64x64_fp32.onnx",
            None,
            UsageError,
            "takes 64x96 and .* 64x64; name two files of one size",
        ),
        (WHOLE, "nothing.onnx", None, UsageError, "lists no exported file nothing.onnx: expected"),
        (
            WHOLE,
            "programs/adain-lite_transform_64x96.pt2",
            None,
            UsageError,
            "lists no exported file programs/",
        ),
        (
            WHOLE,
            WHOLE,
            Size(32, 32),
            UsageError,
            "no probe of 32x32 for both files: expected one of 64x96; type --size 64x96",
        ),
        (".", WHOLE, None, UsageError, "is an artifact folder: name two of its files"),
        ("../x.onnx", WHOLE, None, BadArtifact, "is in no artifact"),
    ],
    ids=["roles", "sizes", "unlisted", "program", "size", "folder", "elsewhere"],
)
def test_what_cannot_be_compared_is_refused(artifact, a, b, size, error, message):
    with pytest.raises(error, match=message):
        diff_files(artifact / a, artifact / b, size=size)


def test_files_of_two_artifacts_are_refused(artifact, damaged):
    with pytest.raises(UsageError, match=r"are of two artifacts: name two files of one"):
        diff_files(artifact / WHOLE, damaged / BROKEN)


def test_a_file_altered_behind_the_manifest_is_refused(damaged, tmp_path):
    copy = shutil.copytree(damaged, tmp_path / "copy")
    scale_weights(copy / BROKEN, "conv2d", 2.0)
    with pytest.raises(BadArtifact, match=r"broken\.onnx was altered"):
        diff_files(copy / WHOLE, copy / BROKEN)


def test_files_without_a_layer_in_common_say_so(damaged, tmp_path):
    copy = shutil.copytree(damaged, tmp_path / "copy")
    manifest = read_manifest(copy)
    files = tuple(
        msgspec.structs.replace(fact, layers={}) if fact.path == BROKEN else fact
        for fact in manifest.files
    )
    write_manifest(msgspec.structs.replace(manifest, files=files), copy)
    with pytest.raises(UsageError, match=r"have no layer in common .* leave out --layers"):
        diff_files(copy / WHOLE, copy / BROKEN, layers=True)


@pytest.mark.parametrize("in_a", [True, False])
def test_values_that_are_not_finite_are_counted_and_found(in_a):
    whole = np.ones((1, 2, 3, 4), np.float32)
    overflowed = whole.copy()
    overflowed[0, 1, 2, 3] = np.inf
    found = diff_tensors("x", *((overflowed, whole) if in_a else (whole, overflowed)), None)
    assert (found.psnr_db, found.max_abs_error, found.worst) == (0.0, 0.0, (0, 1, 2, 3))
    assert found.not_finite == ((1, 0) if in_a else (0, 1))


def test_layers_are_measured_by_the_largest_value_of_a():
    a = np.array([[[[4.0, -2.0]]]], np.float32)
    found = diff_tensors("x", a, a + np.float32(0.04), None)
    assert found.psnr_db == pytest.approx(40.0, abs=0.01)
    assert found.max_abs_error == pytest.approx(0.04, rel=1e-2)


@pytest.mark.slow
def test_core_ml_and_onnx_agree_layer_by_layer(random_network, tmp_path):
    pytest.importorskip("coremltools")
    request = ExportRequest(
        random_network("adain-lite"),
        tmp_path / "a",
        targets=("onnx", "coreml"),
        precisions=(Precision.FP32,),
        roles=(Role.TRANSFORM,),
        sizes=(Size(64, 96),),
    )
    export(request)
    package = tmp_path / "a" / "adain-lite_transform_64x96_fp32.mlpackage"
    report = diff_files(tmp_path / "a" / WHOLE, package, layers=True, threshold_db=90).report
    assert report.first is None, report.first
    assert len(report.layers) > 50


def test_the_ramp_grows_lighter_at_every_step():
    ramp = colour_ramp() / 255
    linear = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)
    brightness = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) > 0).all()
    assert brightness[0] < 0.02
    assert brightness[-1] > 0.9


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (0.0013, 0.002), (1, 1), (2.1, 5), (42, 50), (255, 500)]
)
def test_a_scale_ends_at_a_round_number(largest, top):
    assert scale_top(largest) == pytest.approx(top)


def test_the_map_is_light_where_the_pictures_differ():
    a = np.full((1, 3, 20, 40), 0.5, np.float32)
    b = a.copy()
    b[0, 1, 5, 30] = 1.0
    b[0, 2, 15, 10] = np.nan
    sheet = np.asarray(heat_map(a, b, "A", "B")).astype(int)
    zoom, gap = 8, 13
    left, top = gap + 2 * (40 * zoom + gap), gap + 20
    panel = sheet[top : top + 20 * zoom, left : left + 40 * zoom]
    dark, light = panel[zoom // 2, zoom // 2], panel[5 * zoom + 4, 30 * zoom + 4]
    assert tuple(dark) == tuple(colour_ramp()[0])
    assert light.sum() > dark.sum() + 300
    assert tuple(panel[15 * zoom + 4, 10 * zoom + 4]) == CYAN


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (700, 3)])
def test_pictures_of_any_size_get_a_map(size):
    picture = np.zeros((1, 3, *size), np.float32)
    long = "a-name-that-is-far-too-long-for-its-panel" * 4
    sheet = heat_map(picture, picture, long, long, note="equal to the last bit")
    assert sheet.width >= 3 * 320
    assert sheet.height > size[0]
