"""LiteRT's own GPU accelerator on a Vulkan device in software: whole files, right values.

The accelerator's library loads Vulkan when a process begins, so each run is a process. The device
is SwiftShader, which Chromium brings along; without it these tests are skipped, and fail in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from styleexport.core.types import Precision
from styleexport.exporter.targets._target import Recipe
from tests.exporter.conftest import feeds_of
from tests.runtime_bench.browser.conftest import needed

pytest.importorskip("litert_torch")

from styleexport.exporter.targets.tflite import TARGET
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_gpu import gpu_text

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

path = Path(sys.argv[1])
graph, random = read_graph(path), np.random.default_rng(0)
feeds, outputs = {}, {}
for name, index in graph.inputs.items():
    shape = graph.tensors[index].shape
    shape = (shape[0], shape[3], *shape[1:3]) if len(shape) == 4 else shape
    feeds[name] = random.random(shape, np.float32)
try:
    for delegate in ("xnnpack", "gpu"):
        options = RunOptions(settings={"delegate": delegate})
        with find_runner("litert").open(path, options) as session:
            outputs[delegate] = session(feeds)
            effective = session.effective()
except DeviceError as error:
    print("RESULT", json.dumps({"error": str(error)}))
else:
    pairs = [(outputs["gpu"][name], value) for name, value in outputs["xnnpack"].items()]
    worst = max(float(np.abs(one - other).max()) for one, other in pairs)
    print("RESULT", json.dumps({"worst": worst, "effective": effective}))
"""


def swiftshader() -> Path | None:
    """Return the folder of Chromium's Vulkan in software; None where there is none."""
    programs = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    folders = [Path("/usr/lib/chromium"), *(Path(p).resolve().parent for p in programs if p)]
    wanted = ("vk_swiftshader_icd.json", "libvulkan.so.1")
    return next((one for one in folders if all((one / name).is_file() for name in wanted)), None)


def run_on_gpu(path: Path) -> dict:
    folder = swiftshader()
    if folder is None:
        needed("no Vulkan device in software: install Chromium")
    variables = {
        "LD_LIBRARY_PATH": str(folder),
        "VK_ICD_FILENAMES": str(folder / "vk_swiftshader_icd.json"),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr[-2000:]
    return json.loads(lines[-1].removeprefix("RESULT "))


@pytest.mark.slow
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_our_files_are_whole_on_the_gpu_and_right(painter, precision, tmp_path):
    path = tmp_path / "painter.tflite"
    TARGET.write(painter, Recipe(precision), path, lambda: feeds_of(painter))
    assert gpu_text(read_graph(path)).startswith("whole")
    result = run_on_gpu(path)
    assert result["effective"] == {"delegate": "gpu", "nodes": "all"}
    assert result["worst"] < 1e-4


@pytest.mark.slow
def test_a_file_with_a_refused_operation_is_refused(tmp_path):
    class Clamped(torch.nn.Module):
        def forward(self, x):
            return (x * 2 - 0.5).clamp(0, 1)

    path = tmp_path / "clamped.tflite"
    litert_torch = pytest.importorskip("litert_torch")
    model = litert_torch.convert(Clamped().eval(), (torch.zeros(1, 8, 8, 3),))
    path.write_bytes(model.model_content())
    assert "not RELU_0_TO_1" in gpu_text(read_graph(path))
    assert "Some ops are not accelerated" in run_on_gpu(path)["error"]
