"""Networks of the user's own as people have them: their checkpoints, modules and folders."""

from __future__ import annotations

from pathlib import Path

import torch

from styleexport.core.manifest import read_manifest
from tests.cli.conftest import network_file

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
