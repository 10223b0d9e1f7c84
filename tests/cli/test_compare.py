from __future__ import annotations

import json
import re

import pytest
from PIL import Image

FILE = "adain-lite_transform_64x96_int8.onnx"


def test_an_artifact_alone_prints_a_table(cli, int8_artifact):
    done = cli("compare", int8_artifact)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert re.fullmatch(
        r"reference programs/adain-lite_encode_64x96\.pt2, gain beyond colour "
        r"[+-]\d\.\d\d / [+-]\d\.\d\d / [+-]\d\.\d\d",
        lines[0],
    )
    assert lines[2] == "16 pictures a file; loss network: adain-lite encoder"
    assert lines[3].split() == [
        "file",
        "psnr",
        "stable",
        "worst",
        "ssim",
        "style",
        "gram",
        "lpips",
        "flicker",
        "gain",
        "budget",
    ]
    assert [line.split()[0] for line in lines[4:]] == [
        "adain-lite_encode_64x96_int8.onnx",
        FILE,
    ]


def test_json_holds_every_picture(cli, int8_artifact):
    done = cli("compare", int8_artifact, "float", FILE, "--json", "--budget", "psnr>=10")
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)
    assert (found["candidate"], found["role"], found["failures"]) == (FILE, "transform", [])
    assert found["quality"]["size"] == {"height": 64, "width": 96}
    assert len(found["quality"]["pictures"]) == 16
    assert found["budget"] == "psnr>=10"
    gains = found["quality"]["gain_beyond_colour"]
    assert [gain["size"]["height"] for gain in gains] == [64, 32, 16]
    assert all(abs(gain["reference"] - gain["candidate"]) < 0.2 for gain in gains)


def test_outside_the_budget_everything_is_written_and_the_code_is_3(cli, int8_artifact, tmp_path):
    done = cli(
        "compare",
        int8_artifact,
        "int8",
        "--role",
        "transform",
        "--budget",
        "psnr>=99",
        "-o",
        "report.html",
        "--png",
        "sheet.png",
    )
    assert done.code == 3
    assert "FAIL" in done.out
    assert f"error: {FILE} is outside the budget: psnr " in done.err
    assert "at least 99.00 dB allowed; export with --precision fp16, or allow more" in done.err
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert Image.open(tmp_path / "sheet.png").width > 1600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "psnr=38"), "type for example --budget 'psnr>=38'"),
        (("--lpips-heads", __file__), "--lpips-heads needs VGG-16 too: add --loss-weights VGG16"),
        (("--loss-weights", "no.pth"), "checkpoint no.pth does not exist"),
        (("--role", "paint"), "unknown role 'paint'"),
        (("--size", "big"), "size 'big' is not a size"),
        (("-o", "report.txt"), "report.txt is no web page: type for example -o report.html"),
        (("--png", "sheet.txt"), "sheet.txt has no picture suffix"),
        (("fp16",), "holds no 'fp16': expected float, int8 or the path of a file"),
    ],
)
def test_bad_calls_end_in_one_line_and_write_nothing(
    cli, int8_artifact, tmp_path, arguments, message
):
    done = cli("compare", int8_artifact, *arguments)
    assert (done.code, done.out) == (2, "")
    done.refused(2, message)
    assert list(tmp_path.iterdir()) == []


def test_two_artifacts_are_compared_file_by_file(cli, artifact, int8_artifact):
    reference = artifact / "adain-lite_transform_64x96_fp32.onnx"
    done = cli("compare", reference, int8_artifact / FILE)
    assert done.code == 0, done.err
    assert "reference adain-lite_transform_64x96_fp32.onnx" in done.out
