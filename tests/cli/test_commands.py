"""What each command prints, as text and as JSON."""

from __future__ import annotations

import json

import torch
from PIL import Image
from safetensors.torch import save_file

from styleexport.core import plugins
from styleexport.core.manifest import read_manifest
from styleexport.models.network_spec import NETWORKS as PACKAGE
from styleexport.models.networks import wct


def test_onnx_prints_its_manifest_as_json(call, tmp_path):
    code, out, err = call(
        "onnx", "adain-lite", "--size", "48x64", "--role", "encode", "-o", tmp_path / "a", "--json"
    )
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert "capture" in err


def test_onnx_takes_a_factory_and_a_program(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mynets.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)\n"
        "    def forward(self, x):\n"
        "        return torch.sigmoid(self.conv(x))\n"
    )
    code, _, err = call("onnx", "mynets:Net", "--size", "40", "-o", "a")
    assert code == 0, err
    program = tmp_path / "a" / read_manifest(tmp_path / "a").programs[0].path
    code, _, err = call("onnx", program, "-o", "b")
    assert code == 0, err
    assert read_manifest(tmp_path / "b").files[0].size.height == 40
    code, _, err = call("onnx", program, "--size", "64", "-o", "c")
    assert code == 2
    assert "was captured at 40x40, not 64x64: type --size 40x40" in err


def test_inspect_says_what_an_artifact_holds(call, artifact):
    code, out, _ = call("inspect", artifact)
    assert code == 0
    assert "adain-lite_transform_64x96_fp32.onnx" in out
    assert "content: NCHW 1x3x64x96 float32, RGB in (0.0, 1.0)" in out
    assert "pass fold-pointwise: applied 2" in out
    code, out, _ = call("inspect", artifact, "--json")
    assert json.loads(out) == json.loads((artifact / "manifest.json").read_text())


def test_inspect_says_what_a_file_holds(call, artifact):
    code, out, _ = call("inspect", artifact / "adain-lite_encode_64x64_fp32.onnx")
    assert code == 0
    assert "opset 18" in out
    assert "input style: float32 [1, 3, 64, 64]" in out
    code, out, _ = call("inspect", artifact / "adain-lite_encode_64x64_fp32.onnx", "--json")
    assert json.loads(out)["ops"]["Conv"] == 5


def test_verify_measures_again(call, artifact):
    code, out, _ = call("verify", artifact)
    assert code == 0
    assert out.count("pass") == 4
    code, out, _ = call("verify", artifact, "--json")
    assert all(fact["probes"] == 1 for facts in json.loads(out).values() for fact in facts)


def test_networks_lists_every_network(call):
    code, out, _ = call("networks", "--json")
    assert code == 0
    assert tuple(entry["name"] for entry in json.loads(out)) == plugins.names(PACKAGE)
    text = call("networks")[1]
    assert all(f"  {name}: " in text for name in plugins.names(PACKAGE))
    assert text.index("AdaIN") < text.index("One style a network") < text.index("  fast-style: ")


def test_networks_describes_one_network(call):
    code, text, _ = call("networks", "adain-mobilenetv2")
    assert code == 0
    assert "features.6 (32 channels at 1/8)" in text
    assert "--checkpoint" in text
    code, _, error = call("networks", "adain-mobile")
    assert (code, "did you mean adain-mobilenetv2" in error) == (2, True)


def test_levels_are_typed_the_deepest_first(call, tmp_path):
    options = ("--size", "32", "-o", tmp_path / "a", "--jobs", "1")
    torch.manual_seed(0)
    module = wct.NETWORK.build("321")
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    command = ("onnx", "wct", "--checkpoint", tmp_path / "w.safetensors", *options)
    code, out, _ = call(*command, "--levels", "2,1", "--json")
    network = json.loads(out)["network"]
    assert code == 0
    names = [part["name"] for part in network["code_layout"]["parts"]]
    assert names == ["relu2_1.mean", "relu2_1.root", "relu1_1.mean", "relu1_1.root"]
    assert [fact["layer"] for fact in network["iterations"]] == ["relu2_1", "relu1_1"]
    for levels, message in (
        ("1,2", "--levels '1,2': expected some of 5,4,3,2,1"),
        ("5,1", "levels 5,1: expected some of 3,2,1, which the weights have"),
    ):
        code, _, error = call(*command, "--levels", levels)
        assert (code, message in error) == (2, True)
    code, _, error = call("onnx", *options, "--levels", "2")
    assert (code, "has no levels to choose: leave out --levels" in error) == (2, True)
    code, _, error = call("onnx", "json:loads", *options, "--levels", "2")
    assert (code, "json:loads has no levels to choose" in error) == (2, True)


def test_doctor_compares_versions(call):
    code, out, _ = call("doctor", "--json")
    assert code == 0
    assert {"library": "torch"}.items() <= next(
        row for row in json.loads(out)["libraries"] if row["library"] == "torch"
    ).items()


def test_doctor_names_the_line_that_mends(call, monkeypatch):
    import importlib.metadata

    real = importlib.metadata.version
    old = {"numpy": "1.20.0"}
    monkeypatch.setattr(importlib.metadata, "version", lambda n: old.get(n) or real(n))
    code, out, _ = call("doctor")
    assert code == 0
    assert "to mend: pip install numpy==" in out


def test_stylize_takes_a_folder_and_prints_json(call, artifact, tmp_path, photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.open(photo).save(folder / name)
    code, out, err = call("stylize", artifact, folder, photo, "-o", tmp_path / "out", "--json")
    assert code == 0
    written = [tmp_path / "out" / "a.png", tmp_path / "out" / "b.png"]
    assert json.loads(out) == {"written": [str(p) for p in written], "failed": []}
    assert Image.open(written[0]).size == Image.open(photo).size
    assert "1/2" in err


def test_styles_are_listed(call, artifact, tmp_path, photo):
    import shutil

    copy = shutil.copytree(artifact, tmp_path / "copy")
    assert call("styles", "pack", copy, photo, "--json")[0] == 0
    code, out, _ = call("styles", "list", copy)
    assert code == 0
    assert "photo" in out
    code, _, _ = call("stylize", copy, photo, "--style-code", "photo", "-o", tmp_path / "x.png")
    assert code == 0


def test_help_is_short_and_has_an_example(call):
    code, out, _ = call("--help")
    assert code == 0
    assert "Example: styleexport onnx --precision int8" in out
    for name in ("onnx", "stylize", "train"):
        assert f"  {name} " in out
