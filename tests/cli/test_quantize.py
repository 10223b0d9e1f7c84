"""`styleexport quantize`, and .onnx files given to the commands that export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from safetensors.numpy import load_file

from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision
from tests.cli.conftest import nothing_at, picture
from tests.models.from_onnx.onnx_nets import adain, candy
from tests.models.from_onnx.quantized_nets import quantized_file
from tests.models.from_onnx.styled_nets import own_styles


@pytest.mark.slow
def test_a_file_from_elsewhere_becomes_an_int8_artifact(cli, tmp_path):
    candy(tmp_path / "candy.onnx")
    for index in range(2):
        picture(tmp_path / "photos" / f"{index}.png", (96 + index, 80))
    done = cli(
        "quantize",
        "candy.onnx",
        "--calibration",
        "photos",
        "--size",
        "64x96",
        "--budget",
        "psnr>=15",
    )
    assert done.code == 0, done.err
    manifest = read_manifest(tmp_path / "candy-onnx-int8")
    assert manifest.network.source == ("candy.onnx",)
    assert manifest.network.pixels.output.basis == "found"
    assert manifest.network.pixels.summary.startswith("pixels 0..255 (found: ends in Sigmoid")
    (fact,) = manifest.files
    assert (fact.precision, fact.target) == (Precision.INT8, "onnx")
    assert fact.int8_mac_share > 0.5


def test_a_float_export_is_the_network_of_the_file(cli, tmp_path):
    candy(tmp_path / "candy.onnx")
    done = cli(
        "quantize", "candy.onnx", "--precision", "none", "--size", "40x56", "-o", "a", "--json"
    )
    assert done.code == 0, done.err
    (fact,) = json.loads(done.out)["files"]
    image = np.random.default_rng(0).random((1, 3, 40, 56), np.float32)
    ours = ort.InferenceSession(str(tmp_path / "a" / fact["path"])).run(None, {"content": image})[0]
    theirs = ort.InferenceSession("candy.onnx").run(None, {"input1": image * 255})[0] / 255
    np.testing.assert_allclose(ours, theirs.clip(0, 1), atol=1e-4)


def test_other_commands_take_onnx_files_with_settings(cli, tmp_path):
    candy(tmp_path / "candy.onnx", 17, dynamic=False)
    cli("onnx", "candy.onnx,pixel-range=0..255,content=input1", "-o", "a").fine()
    manifest = read_manifest(Path("a"))
    assert manifest.network.pixels.summary == "pixels 0..255 (declared)"
    assert (manifest.files[0].size.height, manifest.files[0].size.width) == (48, 64)
    refused = cli("onnx", "candy.onnx", "--size", "64", "-o", "b")
    refused.refused(2, "candy.onnx was captured at 48x64, not 64x64: type --size 48x64")


def test_two_pictures_become_an_encoder_and_a_transform(cli, tmp_path):
    adain(tmp_path / "two.onnx", ("a", "b"))
    arguments = ("--precision", "none", "--size", "64", "-o", "a")
    cli("quantize", "two.onnx", "--style", "a", "--content", "b", *arguments).fine()
    assert [fact.role for fact in read_manifest(Path("a")).files] == ["encode", "transform"]


def test_what_is_not_an_onnx_file_is_told_where_to_go(cli, tmp_path):
    cli("quantize").refused(
        2, "takes a .onnx file", "type styleexport onnx adain-residual --precision int8"
    )
    cli("quantize", "no.onnx").refused(2, "network no.onnx does not exist")
    candy(tmp_path / "candy.onnx", 17)
    out = tmp_path / "a"
    wrong = cli("quantize", "candy.onnx", "--pixel-range", "2..0", "-o", out)
    wrong.refused(2, "--pixel-range: '2..0' is not a pixel range: expected LOW..HIGH such as 0..1")
    wrong = cli("quantize", "candy.onnx", "--pixel-range", "0..2", "-o", out)
    wrong.refused(
        2,
        "the network ends in Sigmoid scaled to 0..255",
        "type --pixels 0..255 (--output-pixels for",
    )
    wrong = cli("quantize", "candy.onnx", "--content", "x", "-o", out)
    wrong.refused(2, "no input 'x': expected one of input1; type --content input1")
    nothing_at(out)


@pytest.mark.slow
def test_a_file_that_was_quantized_is_quantized_anew(cli, tmp_path):
    path = quantized_file(tmp_path, "everywhere")
    done = cli("quantize", path, "--dequantize", "-o", "a")
    assert done.code == 0, done.err
    assert "everywhere.onnx dequantized: 10 weights and biases dequantized" in done.err
    manifest = read_manifest(Path("a"))
    assert "activation quantizers dropped" in manifest.network.summary
    (fact,) = manifest.files
    assert fact.int8_mac_share > 0.7


def test_dequantize_is_for_quantized_onnx_files(cli, tmp_path):
    cli("onnx", "--dequantize").refused(
        2, "--dequantize is for .onnx files, and adain-residual is none"
    )
    candy(tmp_path / "candy.onnx", 17)
    refused = cli("onnx", "candy.onnx", "--dequantize", "-o", "a")
    refused.refused(2, "candy.onnx is not quantized: leave out --dequantize")


def test_styles_of_a_file_are_packed_and_blended(cli, tmp_path):
    own_styles(tmp_path / "many.onnx", "index")
    picture(tmp_path / "p.png")
    cli("onnx", "many.onnx,pixel-range=0..1", "-o", "a").fine()
    manifest = read_manifest(Path("a"))
    assert [fact.role for fact in manifest.files] == ["transform"]
    assert manifest.styles[0].names == tuple(f"style-{n}" for n in range(5))
    assert "style-3" in cli("styles", "list", "a").out
    codes = ("--style-code", "style-1", "--style-code", "style-4", "--style-weight", "0.3")
    painted = cli("stylize", "a", "p.png", *codes, "--style-weight", "0.7", "-o", "o.png")
    said = "the blend is approximate: between its own styles the network's parameters are"
    assert (painted.code, painted.talk) == (0, [f"{said} interpolated"])
    cli("styles", "blend", "a", "style-1", "style-4", "--name", "mix")
    np.testing.assert_array_equal(load_file("a/styles/mix.safetensors")["mix"][0, [1, 4]], 0.5)
    for refused in (cli("styles", "pack", "a", "p.png"), cli("stylize", "a", "p.png", "p.png")):
        refused.refused(2, "a has styles of its own", "--style-code NAME (style-0, style-1,")
    assert cli("verify", "a").code == 0
