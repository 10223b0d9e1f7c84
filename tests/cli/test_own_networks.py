"""Networks of the user's own as people have them: checkpoints, modules, folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import styleexport
from styleexport.core.errors import UsageError
from styleexport.core.manifest import read_manifest
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.quality.judge import Judge
from tests.cli.conftest import module_file, network_file, picture

BLUR = "return torch.sigmoid(self.conv(image))"


def test_the_weights_taken_are_said_and_recorded(cli):
    spec = network_file("mine", BLUR)
    raw = {"conv.weight": torch.zeros(3, 3, 3, 3), "conv.bias": torch.zeros(3)}
    torch.save({"params": raw, "params_ema": raw}, "both.pth")
    done = cli("onnx", spec, "--checkpoint", "both.pth", "--size", "40", "-o", "a")
    done.fine()
    assert done.progress[0] == "weights: params_ema of both.pth (averaged; also there: params)"
    assert read_manifest(Path("a")).network.source == ("both.pth: params_ema",)
    torch.save({"a": raw, "b": raw}, "two.pth")
    unclear = cli("onnx", spec, "--checkpoint", "two.pth", "-o", "b")
    unclear.refused(2, "two.pth holds 2 state dicts, a, b,", "--weights-key a")
    cli("onnx", "--weights-key", "a", "-o", "b").refused(2, "add --checkpoint FILE")
    torch.save({"other": torch.zeros(3)}, "wrong.pth")
    wrong = cli("onnx", spec, "--checkpoint", "wrong.pth", "-o", "b")
    wrong.refused(2, "missing conv.weight and 1 more", "build the module as it was trained")
    assert "styleexport networks" not in wrong.err


READS_ARGUMENTS = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", required=True)
"""
ENDS = {
    "at-import": (
        READS_ARGUMENTS + "    parser.parse_args()\n",
        "importing train failed: it reads",
    ),
    "in-the-factory": (
        READS_ARGUMENTS + "    def build():\n        return parser.parse_args()\n",
        "calling it failed: it reads the command line (argparse); move the factory to a module of",
    ),
    "exit": (
        "    import sys\n    sys.exit(3)\n",
        "ends the process (exit code 3); move the factory",
    ),
    "quit-in-the-factory": (
        "    def build():\n        raise SystemExit('no GPU')\n",
        "calling it failed: it ends the process (exit code no GPU)",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_module_that_ends_the_process_is_named(cli, name):
    body, words = ENDS[name]
    spec = module_file(f"train_{name.replace('-', '_')}", body)
    refused = cli("onnx", spec, "--size", "64", "-o", "a")
    refused.refused(2, words.replace("importing train", f"importing {spec.partition(':')[0]}"))
    assert "usage:" not in refused.err


def test_a_module_sees_no_arguments_of_ours(cli):
    spec = module_file(
        "counts",
        """
        import sys
        SEEN = list(sys.argv)

        def build():
            raise ValueError(f"{len(SEEN)} and {len(sys.argv)}")
        """,
    )
    cli("onnx", spec, "--size", "64", "-o", "a").refused(2, "ValueError: 1 and 1")


SHADOWS = ("onnx", "torch", "numpy", "click", "json")


def test_files_named_as_libraries_do_not_replace_them(tmp_path):
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("raise ImportError('the wrong file')\n")
    command = (sys.executable, "-m", "styleexport", "onnx", "onnx:build", "--size", "64")
    paths = os.pathsep.join([str(Path(styleexport.__file__).parents[1]), *sys.path[1:]])
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "onnx.py has the name of a library" in done.stderr
    assert "rename it, for example to my_onnx.py" in done.stderr


ENCODER = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc, self.dec = nn.Conv2d(3, 4, 8, 8), nn.ConvTranspose2d(4, 3, 8, 8)

        def encode(self, style):
            return CODE

        def transfer(self, content, code, strength):
            return self.dec(self.enc(content) * code.mean())

    def build():
        return Net()
"""


@pytest.mark.parametrize("role", ["encode", "transform", "stylize"])
@pytest.mark.parametrize("code", ["self.enc(style).flatten(1)", "style.mean(1).flatten(1)"])
def test_a_code_whose_length_follows_the_style_is_refused_as_such(cli, role, code):
    spec = module_file(f"net{len(code)}", ENCODER.replace("CODE", code))
    lengths = ("64", "256") if "enc" in code else ("1024", "4096")
    refused = cli("onnx", spec, "--size", "64", "--role", role, "-o", "a")
    refused.refused(
        2,
        f"encode's code has {lengths[0]} values at 32x32 and {lengths[1]} at 64x64; a style code "
        "has one length: pool it",
    )


def test_what_cannot_be_packed_is_not_told_to_be(cli, tmp_path):
    cli("onnx", network_file("fixed", BLUR), "--size", "40", "-o", "fixed").fine()
    picture(tmp_path / "a.png")
    refused = cli("styles", "pack", "fixed", "a.png")
    refused.refused(
        2, "fixed has one style of its own, and no style codes: paint with `styleexport"
    )
    cli("stylize", "fixed", "a.png", "a.png").refused(2, "leave out STYLE")
    for arguments in (("--target", "coreml"), ("float", "fp32", "--target", "tflite")):
        assert cli("compare", "fixed", *arguments).code == 2
    path = "build_stylize_40x40_fp32.onnx"
    wrong = cli("compare", "fixed", "float", path, "--target", "coreml")
    wrong.refused(2, "nothing to compare at coreml", "the candidate stylize 40x40 onnx")
    cli("bench", "--json", "compare", "a", "b").refused(2, "type bench compare …")
    cli("bench", "--json", "comparr", "a").refused(2, "did you mean compare?")


@pytest.mark.parametrize("side", [4, 15])
def test_pictures_too_small_to_judge_are_refused(side):
    image = np.zeros((1, 3, side, 32), np.float32)
    with pytest.raises(UsageError, match=f"pictures of {side}x32 are too small .* 16 pixels"):
        Judge(shipped_loss_network(), ())._style(image)
