"""What is plainly wrong is refused before a heavy library is imported, by every command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from styleexport.cli import PACKAGE, plugins

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("torch", "onnx", "onnxruntime", "coremltools", "tensorflow", "litert_torch", "sklearn"),
    *("ai_edge_litert", "ai_edge_quantizer", "openvino", "scipy", "dask"),
)
FOLDERS = "--content folder --style folder"

CALLS = """
onnx adain-lit
onnx adain-lite --checkpoint none.pth
onnx adain-lite --checkpoint {long}
onnx none.pt2
onnx none.onnx
onnx {long}.onnx
onnx text.txt
onnx folder
onnx nowhere.mine:build
onnx --size 99999
onnx --size 0x5
onnx --role paint
onnx --precision int4
onnx --precision int8 --calibration none
onnx --precision int8 --recipe none.json
onnx --precision int8 --recipe text.txt
onnx --budget psnr
onnx -o text.txt
onnx -o .
onnx -o full
coreml adain-lit
coreml --ios 15
coreml --checkpoint none.pth
coreml -o text.txt
tflite adain-lit
tflite --converter tf
tflite --checkpoint none.pth
tflite -o full
export adain-lit
export --target torch
export --target onnx --checkpoint none.pth
export none.pt2
quantize none.onnx
quantize text.txt
quantize adain-lite
sensitivity adain-lit
sensitivity --checkpoint none.pth
sensitivity --calibration none
stylize none c.png c.png
stylize text.txt c.png c.png
stylize artifact none.png c.png
stylize artifact c.png none.png
stylize artifact c.png text.txt
stylize artifact c.png c.png -o o.xyz
stylize artifact c.png c.png --target torch
stylize artifact c.png c.png --precision int8
stylize artifact c.png c.png --alpha nan
stylize artifact {long} c.png
inspect none
inspect {long}
verify none
verify {long}
diff none.onnx none.tflite
diff artifact/none.onnx artifact/none.tflite
compare none none
compare artifact none
compare artifact --loss-weights none.pth
compare artifact -o o.png
bench none
bench artifact --runner nope
bench artifact --affinity 0-99999999999
bench artifact --affinity 5-1
bench artifact --seconds nan
bench artifact --seconds inf
bench artifact --seconds 1e300
bench artifact --rounds 0
bench artifact --rounds 99999999999999999999
bench compare none.json none.json
bench compare report.json text.txt
report none.json
report {long}
report none.sqlite
report report.json -o o.xyz
coreai adain-lit
coreai --precision int4
executorch adain-lit
executorch --precision int4
publish none -o out
publish text.txt -o out
sweep none.toml
sweep text.txt
sweep wrong.toml
serve none
serve artifact --port 99999
serve artifact --cert none.pem --key none.pem
styles list none
styles list {long}
styles pack none c.png
styles pack artifact none.png
styles pack artifact folder
train adain-lit {folders}
train {folders} --loss-weights none.pth
train --content none --style folder
train {folders} --checkpoint none.pth
evaluate adain-lit {folders} --loss-weights text.txt
evaluate {folders} --loss-weights none.pth
evaluate --content none --style folder --loss-weights text.txt
prune adain-lit
prune --checkpoint none.pth
prune --calibration none
distill --teacher adain-lit --student adain-lite {folders}
distill --teacher adain-lite --student adain-lit {folders}
distill --teacher adain-lite --student adain-lite --teacher-checkpoint none.pth {folders}
harness sync none --into android
harness sync artifact --into nokia
doctor --make-env nope
networks --nope
onx
"""

SCRIPT = """
import contextlib, io, json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from styleexport.__main__ import main

heavy, calls = json.load(sys.stdin)
for call in calls:
    sys.argv = ["styleexport", *call]
    out = io.StringIO()
    with contextlib.redirect_stderr(out), contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as end:
            code = end.code
    loaded = [name for name in heavy if name in sys.modules]
    print(json.dumps([code, out.getvalue(), loaded]))
    for name in loaded:
        heavy.remove(name)
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str, list[str]]]:
    """Every call with its exit code, its text and the heavy libraries that it was first to load."""
    folder = tmp_path_factory.mktemp("cheap")
    contract = ROOT / "tests/contract"
    shutil.copytree(contract / "artifacts/colour-transfer", folder / "artifact")
    shutil.copy(contract / "reports/desktop.json", folder / "report.json")
    (folder / "text.txt").write_text("hello\n")
    (folder / "wrong.toml").write_text('networks = ["adain-lit"]\n')
    for name in ("folder", "full"):
        (folder / name).mkdir()
    (folder / "full/thesis.txt").write_text("years of work\n")
    Image.new("RGB", (64, 64)).save(folder / "c.png")
    lines = CALLS.format(long="x" * 300, folders=FOLDERS).split("\n")[1:-1]
    calls = [line.split() for line in lines]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        input=json.dumps([HEAVY, calls]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(line, *result) for line, result in zip(lines, found, strict=True)]


def test_no_refusal_imports_a_heavy_library(refusals):
    assert [(call, loaded) for call, _, _, loaded in refusals if loaded] == []


def test_every_refusal_is_one_line_with_its_code(refusals):
    wrong = [
        (call, code, text)
        for call, code, text, _ in refusals
        if code not in (2, 4) or not text.startswith("error: ") or text.count("\n") != 1
    ]
    assert wrong == []


def test_every_command_is_among_the_calls(refusals):
    assert {call.split()[0] for call, *_ in refusals} >= set(plugins.names(PACKAGE))
