"""The lines of docs/guides/without_the_harness.md work: Python and JavaScript run, Swift parses.

Kotlin and Swift are compiled by `make android-check` and `make ios-check`.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import styleexport as se
from styleexport.core.assets import DEMO_CONTENT, DEMO_STYLE, folder
from styleexport.runtime_bench.runners.browser import _packages
from tests.runtime_bench.browser.conftest import needed
from tools.guide_snippets import snippet
from tools.ios_check.syntax import parse_faults

# A picture of the guide's size takes seconds of CPU at export, a smaller one less.
SIDE = "64"
# Of the machine, not of the tests' own cache.
INSTALLED = _packages.packages_folder()


def small(language: str) -> str:
    return snippet(language).replace("256", SIDE)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """The folder of Python's lines, and what they painted."""
    place = tmp_path_factory.mktemp("guide")
    se.export("adain-residual", place / "painter", role="stylize", size=64)
    shutil.copy(folder() / DEMO_CONTENT, place / "photo.jpg")
    shutil.copy(folder() / DEMO_STYLE, place / "painting.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        exec(compile(small("python"), "guide", "exec"), {})
    return place


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((64, 64)))


def test_python_paints_as_the_artifact_does(painted):
    with Image.open(painted / "photo.jpg") as photo, Image.open(painted / "painting.jpg") as style:
        expected = se.stylize(painted / "painter", photo.resize((64, 64)), style.resize((64, 64)))
    difference = pixels(painted / "painted.png").astype(int) - np.asarray(expected)
    assert abs(difference).max() <= 1


def test_javascript_paints_the_same(painted):
    node, packages = shutil.which("node"), INSTALLED
    if node is None or not packages.is_dir():
        needed("no Node.js, or no onnxruntime-web: type styleexport serve --install")
    runtime = (packages / "onnxruntime-web" / "dist" / "ort.wasm.min.mjs").as_uri()
    wasm = runtime.replace("ort.wasm.min.mjs", "ort-wasm-simd-threaded.wasm")
    lines = small("javascript")
    assert lines.count('"onnxruntime-web/wasm"') == 1
    (painted / "paint.mjs").write_text(lines.replace("onnxruntime-web/wasm", runtime))
    for name in ("photo", "painting"):
        opaque = np.full((64, 64, 1), 255, np.uint8)
        rgba = np.concatenate([pixels(painted / f"{name}.jpg"), opaque], 2)
        (painted / f"{name}.rgba").write_bytes(rgba.tobytes())
    (painted / "main.mjs").write_text(
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        f'import * as ort from "{runtime}";\n'
        'import { paint } from "./paint.mjs";\n'
        # What a browser does by itself: Node.js fetches no files, and has no workers for threads.
        f"ort.env.wasm.wasmBinary = readFileSync(new URL('{wasm}'));\n"
        "ort.env.wasm.numThreads = 1;\n"
        "const read = (name) => ({ data: readFileSync(name + '.rgba') });\n"
        "const model = readFileSync('painter/adain-residual_stylize_64x64_fp32.onnx');\n"
        "writeFileSync('painted.rgba', await paint(model, read('photo'), read('painting')));\n"
    )
    done = subprocess.run([node, "main.mjs"], cwd=painted, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]  # behind the minified code
    result = np.frombuffer((painted / "painted.rgba").read_bytes(), np.uint8).reshape(64, 64, 4)
    assert abs(result[..., :3].astype(int) - pixels(painted / "painted.png")).max() <= 1
    assert (result[..., 3] == 255).all()


def test_swift_parses():
    pytest.importorskip("tree_sitter_swift")
    assert parse_faults(snippet("swift").encode()) == []


def test_kotlin_names_what_the_files_have():
    for name in ("content", "style", "strength", "image", "serving_default"):
        assert f'"{name}"' in snippet("kotlin")
