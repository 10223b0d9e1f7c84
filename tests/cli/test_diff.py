from __future__ import annotations

import json
import shutil
import sys

import msgspec
import numpy as np
import onnx
import pytest
from PIL import Image

from styleexport.__main__ import main
from styleexport.cli.diff import _in_words
from styleexport.core.manifest import read_manifest, sha256_of_file, write_manifest
from styleexport.runtime_bench.diff.report import TensorDiff

WHOLE = "adain-lite_transform_64x96_fp32.onnx"
BROKEN = "adain-lite_transform_64x96_broken.onnx"


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """Run a command line in this process and an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["styleexport", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture(scope="module")
def damaged(artifact, tmp_path_factory):
    """The small artifact, with a second transform file whose weights are a little off."""
    copy = shutil.copytree(artifact, tmp_path_factory.mktemp("damaged") / "lite")
    model = onnx.load(copy / WHOLE)
    node = next(node for node in model.graph.node if "conv2d_2" in node.output)
    weight = next(item for item in model.graph.initializer if item.name == node.input[1])
    array = onnx.numpy_helper.to_array(weight) * np.float32(1.2)
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    onnx.save(model, copy / BROKEN)
    manifest = read_manifest(copy)
    fact = next(fact for fact in manifest.files if fact.path == WHOLE)
    other = msgspec.structs.replace(fact, path=BROKEN, sha256=sha256_of_file(copy / BROKEN))
    write_manifest(msgspec.structs.replace(manifest, files=(*manifest.files, other)), copy)
    return copy


def test_the_first_layer_and_the_ten_worst_are_printed(call, damaged, tmp_path):
    code, out, err = call("diff", damaged / WHOLE, damaged / BROKEN, "--layers")
    assert code == 0, err
    assert f"A {WHOLE} (onnxruntime)\nB {BROKEN} (onnxruntime)\nprobe 64x96\nimage: " in out
    assert "first layer below 40 dB: conv2d_2, " in out
    assert "dB, largest difference" in out
    lines = out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    assert len(lines) == header + 11
    written = tmp_path / "adain-lite_transform_64x96_fp32.onnx-vs-broken.onnx.png"
    assert err == f"heat map: {written.name}\n"
    assert Image.open(written).width > 3 * 320


def test_a_threshold_that_no_layer_misses_is_said(call, damaged):
    code, out, _ = call("diff", damaged / WHOLE, damaged / WHOLE, "--layers", "-o", "x.png")
    assert code == 0
    assert "image: equal to the last bit" in out
    assert "is below 40 dB" in out


def test_json_holds_every_layer(call, damaged):
    code, out, _ = call(
        "diff", damaged / WHOLE, damaged / BROKEN, "--layers", "--json", "-o", "x.png"
    )
    assert code == 0
    report = json.loads(out)
    assert (report["a"], report["b"], report["role"]) == (WHOLE, BROKEN, "transform")
    assert report["size"] == {"height": 64, "width": 96}
    assert report["first"]["name"] == "conv2d_2"
    assert len(report["layers"]) > 50
    assert report["output"]["shape"] == [1, 3, 64, 96]


def test_fail_below_ends_in_3_with_the_report_and_the_map(call, damaged, tmp_path):
    code, out, err = call(
        "diff", damaged / WHOLE, damaged / BROKEN, "--fail-below", "90", "-o", "x.png"
    )
    assert code == 3
    assert "image: " in out
    assert "broken.onnx differs from" in err
    assert "at least 90 allowed; type --layers" in err
    assert (tmp_path / "x.png").is_file()
    code, _, _ = call("diff", damaged / WHOLE, damaged / BROKEN, "--fail-below", "1", "-o", "x.png")
    assert code == 0


def test_style_codes_have_no_heat_map(call, artifact, tmp_path):
    path = artifact / "adain-lite_encode_64x96_fp32.onnx"
    code, out, err = call("diff", path, path)
    assert (code, err) == (0, "")
    assert "style_code: equal to the last bit" in out
    code, _, err = call("diff", path, path, "-o", "x.png")
    assert code == 2
    assert "returns a style code, of which there is no heat map: leave out -o" in err
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_finite_are_never_called_equal():
    found = TensorDiff(
        name="x", shape=(1, 1, 2, 2), psnr_db=0.0, max_abs_error=0.0, worst=None, not_finite=(1, 1)
    )
    assert _in_words(found) == "0.0 dB, largest difference 0, 1 of A's and 1 of B's not finite"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "8x8"), "no probe of 8x8 for both files"),
        (("--size", "big"), "size 'big' is not a size"),
        (("-o", "map.txt"), "map.txt has no picture suffix"),
    ],
)
def test_bad_options_end_in_one_line_and_write_nothing(call, damaged, tmp_path, options, message):
    code, out, err = call("diff", damaged / WHOLE, damaged / BROKEN, *options)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
