"""Quality budgets and recipes on the command line."""

from __future__ import annotations

import json

import pytest

from styleexport.cli._types import PRECISION, merge_precisions
from styleexport.core.errors import UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision
from tests.cli.conftest import network_file, nothing_at

EXPORT = ("--precision", "int8", "--size", "32x48")


@pytest.fixture
def onnx(cli, tmp_path):
    """Export two convolutions in int8 with some options."""
    spec = network_file("budgeted", "return torch.sigmoid(self.conv(F.relu(self.conv(image))))")

    def run(*options: object):
        return cli("onnx", spec, *EXPORT, *options)

    return run


def test_over_budget_ends_with_code_3_and_keeps_the_figures(onnx, tmp_path):
    out = tmp_path / "a"
    done = onnx("-o", out, "--budget", "psnr>=120")
    done.refused(3, "psnr ", "at least 120.00 dB allowed", "a.rejected.json", "--allow-degraded")
    nothing_at(out)
    report = json.loads((tmp_path / "a.rejected.json").read_bytes())
    assert report["files"][0]["quality"]["failures"]


def test_a_degraded_file_is_written_where_that_is_allowed_and_its_recipe_followed(onnx, tmp_path):
    out = tmp_path / "a"
    strict = ("--budget", "psnr>=120", "--allow-degraded")
    done = onnx("-o", out, *strict)
    done.fine()
    assert "_int8-degraded.onnx" in done.out
    assert "DEGRADED" in done.out
    (made,) = read_manifest(out).files
    assert made.quality.failures
    done = onnx("-o", tmp_path / "b", "--recipe", out / made.recipe, *strict)
    done.fine()
    assert read_manifest(tmp_path / "b").files[0].sha256 == made.sha256
    assert " dB" in done.out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--budget", "psnr<=40"), ("of psnr more is better", "--budget 'psnr>=38'")),
        (("--budget", "style<=5"), ("style takes a relative change in percent, got '5'",)),
        (("--recipe", "absent.json"), ("absent.json does not exist", "recipes/")),
        (("--recipe", "notes.txt"), ("notes.txt is not a recipe",)),
    ],
)
def test_what_cannot_be_followed_is_refused_in_a_line(cli, tmp_path, options, parts):
    (tmp_path / "notes.txt").write_text("mine")
    cli("onnx", *EXPORT, "-o", tmp_path / "a", *options).refused(2, *parts)
    nothing_at(tmp_path / "a")


def test_all_is_every_precision_but_auto():
    every = tuple(p for p in Precision if p is not Precision.AUTO)
    for texts, expected in (
        (["all"], every),
        (["auto", "all"], (*every, Precision.AUTO)),
        (["auto", "int8", "none", "int8"], (Precision.AUTO, Precision.INT8, Precision.FP32)),
    ):
        values = [PRECISION.convert(text, None, None) for text in texts]
        assert merge_precisions(values) == expected
    with pytest.raises(UsageError, match="auto"):
        PRECISION.convert("automatic", None, None)
