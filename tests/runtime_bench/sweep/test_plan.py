"""What a sweep file may say, and the cells that it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.runtime_bench.sweep import SweepRequest, cells_of, read_plan

SUFFIXES = {"onnx": ".onnx", "tflite": ".tflite"}
FULL = """
networks = ["adain-lite", { name = "mine", checkpoints = ["mine.pth"] }]
sizes = [64, "64x96"]
runners = ["onnxruntime", "litert-builtin", "torch"]

[[recipes]]
precision = "int8"
budget = "psnr>=30"

[[recipes]]
target = "tflite"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def request_of(folder: Path, text: str) -> SweepRequest:
    plan = read_plan(written(folder, text))
    return SweepRequest(plan, folder, folder / "sweep.sqlite", SUFFIXES)


def test_every_combination_that_can_be_is_a_cell(tmp_path: Path):
    (tmp_path / "mine.pth").write_bytes(b"weights")
    cells = cells_of(request_of(tmp_path, FULL))
    found = [
        (c.export.network.name, c.export.recipe.target, c.export.size, c.runner) for c in cells
    ]
    expected = [
        (network, target, size, runner)
        for network in ("adain-lite", "mine")
        for target, runners in (("onnx", ("onnxruntime", "torch")), ("tflite", ("litert-builtin",)))
        for size in ("64x64", "64x96")
        for runner in runners
    ]
    assert found == expected
    assert len({cell.key for cell in cells}) == len(cells)
    assert len({cell.export.name for cell in cells}) == 8


def test_a_runner_of_several_formats_measures_each(tmp_path: Path):
    recipes = "".join(f'[[recipes]]\ntarget = "{target}"\n' for target in SUFFIXES)
    text = f'networks = ["a"]\nrunners = ["browser", "openvino"]\n{recipes}'
    cells = cells_of(request_of(tmp_path, text))
    assert [(cell.export.recipe.target, cell.runner) for cell in cells] == [
        ("onnx", "browser"),
        ("onnx", "openvino"),
        ("tflite", "browser"),
    ]


def test_what_is_named_twice_is_one_cell(tmp_path: Path):
    text = 'networks = ["a", "a"]\nsizes = [64, "64x64"]\nrunners = ["torch", "torch"]'
    assert len(cells_of(request_of(tmp_path, text))) == 1


def test_without_runners_all_take_turns_in_one_cell(tmp_path: Path):
    (cell,) = cells_of(request_of(tmp_path, 'networks = ["adain-lite"]'))
    assert (cell.runner, cell.export.size, cell.export.recipe.target) == ("all", "512x512", "onnx")
    assert cell.label == "adain-lite onnx fp32 512x512 on all"


def test_a_key_tells_what_the_result_depends_on(tmp_path: Path):
    def key(text: str, folder: Path = tmp_path) -> str:
        folder.mkdir(exist_ok=True)
        (folder / "w.pth").write_bytes(weights)
        (cell,) = cells_of(request_of(folder, f"{base}{text}"))
        return cell.key

    base = 'networks = [{ name = "a", checkpoints = ["w.pth"] }]\n'
    weights = b"one"
    first = key("")
    assert key("", tmp_path / "elsewhere") == first
    assert len({first, key("rounds = 3"), key('roles = ["encode"]'), key("threads = 2")}) == 4
    weights = b"two"
    assert key("") != first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('networks = ["a"]\nruners = ["torch"]', "unknown field `runers`"),
        ('networks = ["a"]\n[[recipes]]\nquantize = "int8"', "unknown field `quantize`"),
        ("sizes = [64]", "missing required field `networks`"),
        ("networks = []", "length >= 1"),
        ('networks = ["a"]\nsizes = [true]', "got `bool` - at `$.sizes[0]`"),
        ('networks = ["a"]\n[[recipes]]\nprecision = "int9"', "Invalid enum value 'int9'"),
        ('networks = ["a"]\nrounds = 0', "`int` >= 1"),
        ("networks = [", "is not a sweep"),
        ('networks = ["a"]\nsizes = ["big"]', "size 'big' is not a size"),
        ('networks = ["a"]\nrunners = ["onnxruntim"]', "did you mean onnxruntime?"),
        ('networks = ["a"]\nrunners = ["torch:dtype=int8"]', "torch takes dtype="),
    ],
)
def test_a_file_that_is_no_sweep_says_what_is_wrong(text: str, words: str, tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        read_plan(written(tmp_path, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_no_sweep(tmp_path: Path):
    (tmp_path / "sweep.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"is not a sweep: .*keys are networks, recipes, sizes"):
        read_plan(tmp_path / "sweep.toml")
    with pytest.raises(UsageError, match="does not exist; write a sweep file"):
        read_plan(tmp_path / "none.toml")


def test_targets_runners_and_files_must_be_there(tmp_path: Path):
    with pytest.raises(UsageError, match="unknown target 'onx': expected one of onnx, tflite"):
        cells_of(request_of(tmp_path, 'networks = ["a"]\n[[recipes]]\ntarget = "onx"'))
    with pytest.raises(UsageError, match="runner litert-builtin reads no file of this sweep"):
        cells_of(request_of(tmp_path, 'networks = ["a"]\nrunners = ["litert-builtin", "torch"]'))
    text = 'networks = [{ name = "a", checkpoints = ["none.pth"] }]'
    with pytest.raises(BadCheckpoint, match="begin at its own folder"):
        cells_of(request_of(tmp_path, text))
    with pytest.raises(UsageError, match="--workers is 0"):
        SweepRequest(
            read_plan(written(tmp_path, 'networks = ["a"]')), tmp_path, tmp_path, {}, workers=0
        )
