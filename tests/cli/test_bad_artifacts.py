"""Bad input for Core ML, TFLite and several targets: damage, sizes, extras, places."""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.core.manifest import sha256_of_file
from styleexport.core.types import Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.targets._target import PACKAGE as TARGETS
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner
from tests.cli.conftest import (
    edit_manifest,
    module_file,
    network_file,
    nothing_at,
    nothing_half_written,
    picture,
)
from tests.zoo import Zoo

Model_pb2 = pytest.importorskip("coremltools.proto.Model_pb2")
pytest.importorskip("litert_torch")
pytest.importorskip("coreai_torch")

ROOT = Path(__file__).resolve().parents[2]
CORE_ML, ONNX, TFLITE = (
    f"adain-lite_encode_40x56_{end}" for end in ("fp16.mlpackage", "fp32.onnx", "fp32.tflite")
)
CORE_AI = "adain-lite_encode_40x56_fp16.aimodel"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
AGAIN = "export the network again"
COPY = "copy the whole"


@pytest.fixture(scope="module")
def whole(zoo: Zoo) -> Path:
    """The shipped network for every target at 40x56; never changed."""
    sizes, targets = (Size(40, 56),), plugins.names(TARGETS)
    return zoo.artifact("whole-lite", open_network("adain-lite"), targets=targets, sizes=sizes)


@pytest.fixture
def artifact(whole: Path, tmp_path: Path) -> Path:
    """A copy of the artifact, to be damaged, beside a picture."""
    picture(tmp_path / "c.png")
    return Path(shutil.copytree(whole, tmp_path / "artifact"))


@pytest.fixture
def tiny(cli) -> str:
    """A network of one convolution, in the present folder."""
    return network_file("tiny", "return torch.sigmoid(self.conv(image))")


def agree(artifact: Path) -> None:
    """Make the manifest agree with damaged files."""

    def change(manifest: dict) -> None:
        for fact in manifest["files"]:
            fact["sha256"] = sha256_of_file(artifact / fact["path"])

    edit_manifest(artifact, change)


def edit_model(package: Path, change: Callable) -> None:
    """Change the protobuf of a package."""
    model = Model_pb2.Model.FromString((package / MODEL).read_bytes())
    change(model)
    (package / MODEL).write_bytes(model.SerializeToString())


def operations(model) -> Iterator:
    for function in model.mlProgram.functions.values():
        for block in function.block_specializations.values():
            yield from block.operations


def first_blob(model):
    for operation in operations(model):
        value = operation.attributes.get("val")
        if value is not None and value.WhichOneof("value") == "blobFileValue":
            return value.blobFileValue
    raise AssertionError("no constant lies in the weights file")


# --- damaged files ------------------------------------------------------------------------------


def cut(name: str, length: float) -> Callable[[Path], None]:
    """Return the damage that keeps so many bytes, or such a share, of a file."""

    def damage(path: Path) -> None:
        file = path / name if name else path
        data = file.read_bytes()
        file.write_bytes(data[: length if isinstance(length, int) else int(length * len(data))])

    return damage


def described(text: str) -> Callable[[Path], object]:
    return lambda path: (path / "Manifest.json").write_text(text)


def naming(item: object) -> str:
    entries = {"root": {"path": item}}
    return json.dumps({"rootModelIdentifier": "root", "itemInfoEntries": entries})


def no_weights(path: Path) -> None:
    (path / WEIGHTS).unlink()


def weights_of_name(name: str) -> Callable[[Path], None]:
    return lambda path: edit_model(path, lambda m: setattr(first_blob(m), "fileName", name))


def another_kind(path: Path) -> None:
    def change(model) -> None:
        model.ClearField("mlProgram")
        model.neuralNetwork.layers.add().name = "x"

    edit_model(path, change)


def a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("no package\n")


def an_empty_folder(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.mkdir()


PACKAGES = {
    **{
        f"weights cut to {n}": (
            cut(WEIGHTS, n),
            [f"weight.bin is no weights file: {n} bytes", AGAIN],
        )
        for n in (0, 10, 63)
    },
    **{
        f"weights cut to {n}": (cut(WEIGHTS, n), [f"weight.bin ends at byte {n}, expected", AGAIN])
        for n in (64, 100)
    },
    **{
        f"weights cut to {n:.1%}": (cut(WEIGHTS, n), ["weight.bin ends at byte", AGAIN])
        for n in (0.5, 0.999)
    },
    "model cut to 0": (cut(MODEL, 0), ["model.mlmodel holds no model", AGAIN]),
    **{
        f"model cut to {n}": (cut(MODEL, n), ["model.mlmodel is no Core ML model", AGAIN])
        for n in (10, 1000, 0.5, 0.99)
    },
    "no Manifest.json": (lambda p: (p / "Manifest.json").unlink(), ["has no Manifest.json", COPY]),
    "Manifest.json of bytes": (
        lambda p: (p / "Manifest.json").write_bytes(b"\xff\0{"),
        ["Manifest.json names no model", AGAIN],
    ),
    "Manifest.json a list": (described("[]"), ["Manifest.json names no model", AGAIN]),
    "Manifest.json nested": (described("[" * 100_000), ["Manifest.json names no model", AGAIN]),
    "Manifest.json of NUL": (described(naming("\0")), ["Manifest.json names no model", AGAIN]),
    "Manifest.json of a long name": (described(naming("x" * 400)), ["names no model", AGAIN]),
    "Manifest.json of a number": (described(naming(5)), ["names no model", AGAIN]),
    "Manifest.json of another folder": (described(naming("../../../x")), ["has no '../", COPY]),
    "no weights": (no_weights, ["weight.bin does not exist", COPY]),
    "weights of NUL": (weights_of_name("@model_path/\0x"), ["names something '@model", AGAIN]),
    "weights outside": (weights_of_name("@model_path/../../../x"), ["weights outside", AGAIN]),
    "another kind": (another_kind, ["holds neuralNetwork, expected mlProgram", "for example "]),
    "a file": (a_file, ["has no Manifest.json, expected an .mlpackage folder", COPY]),
    "an empty folder": (an_empty_folder, ["has no Manifest.json", COPY]),
}
FILES = {
    **{
        f"cut to {n}": (
            cut("", n),
            [
                "is not a TFLite file: expected TFL3 at its byte 4",
                "type the path of a .tflite file",
            ],
        )
        for n in (0, 4)
    },
    **{
        f"cut to {n}": (cut("", n), ["is not a whole TFLite file", AGAIN])
        for n in (8, 20, 100, 0.3, 0.5, 0.9, 0.9999)
    },
    "a folder": (
        an_empty_folder,
        ["is a folder, expected a regular file", "path of a .tflite file"],
    ),
    "text": (lambda p: p.write_text("no graph\n"), ["is not a TFLite file", "type the path"]),
}
ASSETS = {
    **{
        f"main.mlirb cut to {n}": (cut("main.mlirb", n), ["main.mlirb was altered", AGAIN])
        for n in (0, 8, 0.5, 0.9999)
    },
    "no main.hash": (
        lambda p: (p / "main.hash").unlink(),
        ["main.hash does not exist", "path of an .aimodel folder"],
    ),
    "another version": (
        lambda p: (p / "metadata.json").write_text('{"assetVersion": "3.0"}'),
        ["is an asset of version 3.0, expected 2.0", AGAIN],
    ),
    "metadata cut": (cut("metadata.json", 0.5), ["metadata.json is no JSON", AGAIN]),
    "metadata of another kind": (
        lambda p: (p / "metadata.json").write_text("[1]"),
        ["is an asset of version None", AGAIN],
    ),
    "an empty folder": (an_empty_folder, ["main.mlirb does not exist", "an .aimodel folder"]),
}
DAMAGES = {
    **{f"{CORE_AI[-7:]}, {key}": (CORE_AI, *value) for key, value in ASSETS.items()},
    **{f"{CORE_ML[-10:]}, {key}": (CORE_ML, *value) for key, value in PACKAGES.items()},
    **{f"{TFLITE[-7:]}, {key}": (TFLITE, *value) for key, value in FILES.items()},
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_file_is_refused_by_every_command(cli, artifact, tmp_path, case):
    name, damage, parts = DAMAGES[case]
    damage(artifact / name)
    target = {CORE_ML: "coreml", CORE_AI: "coreai"}.get(name, "tflite")
    painting = ("stylize", artifact, "c.png", "c.png", "--target", target, "-o", "out.png")
    differing = ("diff", artifact / ONNX, artifact / name, "--layers", "-o", "map.png")
    cli("verify", artifact).refused(2, f"{name} was altered: its sha256 is ", AGAIN)
    cli("inspect", artifact / name).refused(2, *parts)
    agree(artifact)
    for command in (("verify", artifact), painting, differing):
        cli(*command).refused(2, *parts)
    nothing_at(tmp_path / "out.png")
    nothing_at(tmp_path / "map.png")


@pytest.mark.parametrize("name", [CORE_AI, CORE_ML, TFLITE])
def test_an_exported_file_that_is_gone(cli, artifact, name):
    an_empty_folder(artifact / name)
    (artifact / name).rmdir()
    for command in ("verify", "inspect"):
        cli(command, artifact).refused(2, f"{name} is missing, the manifest lists it", AGAIN)


FLIPPED = (f"{CORE_AI}/main.mlirb", f"{CORE_ML}/{MODEL}", f"{CORE_ML}/{WEIGHTS}", TFLITE)


@pytest.mark.parametrize("name", FLIPPED)
def test_flipped_bytes_end_in_an_exit_code_of_ours(cli, artifact, name):
    file, choose = artifact / name, random.Random(0)
    data = file.read_bytes()
    exported = artifact / name.split("/")[0]
    for _ in range(8 if name.endswith(WEIGHTS) else 25):
        damaged = bytearray(data)
        for _ in range(choose.choice((1, 3, 20))):
            # What describes the tensors lies at both ends of a flatbuffer and of a weights file.
            near = choose.randrange(min(6000, len(data)))
            place = choose.choice((near, len(data) - 1 - near))
            damaged[place] ^= 1 << choose.randrange(8)
        file.write_bytes(damaged)
        agree(artifact)
        for command in (("inspect", exported), ("diff", artifact / ONNX, exported, "--layers")):
            found = cli(*command)
            assert found.code in (0, 2), found.err
            found.refused(2, "error: ") if found.code else found.fine()


@pytest.mark.parametrize("end", ["fp16.aimodel", "fp16.mlpackage", "fp32.onnx", "fp32.tflite"])
def test_a_file_of_another_role_is_told_from_the_one_of_the_manifest(cli, artifact, end):
    name, other = (f"adain-lite_{role}_40x56_{end}" for role in ("encode", "transform"))
    an_empty_folder(artifact / name)
    (artifact / name).rmdir()
    (shutil.copytree if (artifact / other).is_dir() else shutil.copy)(
        artifact / other, artifact / name
    )
    agree(artifact)
    targets = {".aimodel": "coreai", ".onnx": "onnx", ".tflite": "tflite"}
    target = targets.get(Path(end).suffix, "coreml")
    reference = TFLITE if target == "onnx" else ONNX
    for command in (
        ("verify", artifact),
        ("stylize", artifact, "c.png", "c.png", "--target", target),
        ("diff", artifact / reference, artifact / name),
    ):
        cli(*command).refused(2, name, "not the file that the manifest describes", AGAIN)


def test_an_operation_that_is_not_known_is_named(cli, artifact):
    def change(model) -> None:
        next(op for op in operations(model) if op.type == "conv").type = "quantum_conv"

    edit_model(artifact / CORE_ML, change)
    agree(artifact)
    seen = cli("inspect", artifact / CORE_ML)
    seen.fine()
    assert "quantum_conv" in seen.out
    for command in (
        ("verify", artifact),
        ("stylize", artifact, "c.png", "c.png", "--target", "coreml"),
        ("diff", artifact / ONNX, artifact / CORE_ML),
    ):
        cli(*command).refused(2, "does not know the operation quantum_conv", "add a function")
    cli("stylize", artifact, "c.png", "c.png", "--target", "onnx").fine()


@pytest.mark.parametrize("target", ["coreai", "coreml", "onnx", "tflite"])
def test_what_is_not_finite_is_not_painted(cli, artifact, tmp_path, target, monkeypatch):
    """A weight that became NaN, or half precision that overflowed."""
    runners = {"coreai": "coreai", "coreml": "coreml-reference", "onnx": "onnxruntime"}
    runner = runners.get(target, "litert")
    kind = type(find_runner(runner))
    whole = kind.open

    class Broken:
        def __init__(self, *arguments) -> None:
            self.opened = whole(*arguments)

        def __enter__(self) -> Callable:
            session = self.opened.__enter__()
            return lambda inputs: {k: v * np.float32("nan") for k, v in session(inputs).items()}

        def __exit__(self, *error) -> None:
            self.opened.__exit__(*error)

    monkeypatch.setattr(kind, "open", lambda *arguments: Broken(*arguments))
    painting = cli("stylize", artifact, "c.png", "c.png", "--target", target, "-o", "out.png")
    painting.refused(3, "computes NaN or infinite values", "styleexport verify", "--precision")
    nothing_at(tmp_path / "out.png")


EMPTY = {
    "files": lambda m: m.update(files=[]),
    "parity": lambda m: m["files"][0].update(parity=[]),
    "outputs": lambda m: m["files"][0].update(outputs=[]),
    "inputs": lambda m: m["files"][0].update(inputs=[]),
}


@pytest.mark.parametrize("field", EMPTY)
def test_a_manifest_that_leaves_out_what_it_must_say(cli, artifact, field):
    edit_manifest(artifact, EMPTY[field])
    for command in (
        ("verify", artifact),
        ("inspect", artifact),
        ("stylize", artifact, "c.png", "c.png"),
        ("diff", artifact / ONNX, artifact / TFLITE),
    ):
        cli(*command).refused(2, "Expected `array` of length >= 1", field, AGAIN)


# --- what is named ------------------------------------------------------------------------------

PRECISIONS = "expected one of none, fp32, fp16"
USAGE = [
    (["coreai", "--arithmetic", "int8"], ["fp16 or fp32, not int8", "type --arithmetic fp16"]),
    (["coreai", "--enumerated"], ["two or more", "--size 256 --size 384x512"]),
    (["coreai", "--precision", "int8-a16"], ["int8-a16"]),
    (["coreml", "--ios", "15"], ["iOS 15: expected 16, 17 or 18", "type --ios 16"]),
    (["coreml", "--ios", "new"], ["'new' is not a valid integer", "styleexport coreml --help"]),
    (["coreml", "--arithmetic", "int8"], ["fp16 or fp32, not int8", "type --arithmetic fp16"]),
    (["coreml", "--arithmetic", "all"], ["'all'", PRECISIONS, "type --arithmetic fp16"]),
    (["coreml", "--precision", "half"], ["'half'", PRECISIONS, "type --precision int8"]),
    (["coreml", "--precision", "int8", "--ios", "16"], ["need iOS 17 or later", "type --ios 17"]),
    (["coreml", "--precision", "int4"], ["'int4'", PRECISIONS, "type --precision"]),
    (["coreml", "--dynamic"], ["No such option '--dynamic'", "styleexport coreml --help"]),
    (["coreml", "--enumerated"], ["two or more", "--size 256 --size 384x512"]),
    (["coreml", "--enumerated", "--size", "64"], ["two or more", "--size 256 --size 384x512"]),
    (["coreml", "--enumerated", "--size", "64", "--size", "64x64"], ["two or more", "--size 256"]),
    (
        ["coreml", "--enumerated", "--size", "40", "--size", "56", "--role", "stylize"],
        ["role stylize takes two images", "type --role encode --role transform"],
    ),
    (["onnx", "--precision", "palette4"], ["onnx has no precision palette4", "type --precision"]),
    (
        ["tflite", "--precision", "palette4"],
        ["tflite has no precision palette4", "type --precision"],
    ),
    (["tflite", "--converter", "tf"], ["unknown converter 'tf'", "litert-torch, onnx2tf"]),
    (["tflite", "--converter", "onnx2tff"], ["unknown converter", "did you mean onnx2tf?"]),
    (["tflite", "--enumerated"], ["No such option '--enumerated'", "styleexport tflite --help"]),
    (
        ["export", "--target", "torch"],
        ["target 'torch'", "coreai, coreml, executorch, onnx, tflite"],
    ),
    (["export", "--target", "corem"], ["unknown target 'corem'", "did you mean coreml?"]),
    (["export", "--target", "onnx", "--precision", "palette4"], ["onnx has no precision palette4"]),
    (["export", "--skip-missing", "--target", "onx"], ["unknown target 'onx'", "mean onnx?"]),
    (["export", "--role", "paint"], ["unknown role 'paint'", "--role transform"]),
    (["diff", "a.onnx", "b.onnx"], ["a.onnx is in no artifact", "styleexport export"]),
    (["inspect", "no.mlpackage"], ["no.mlpackage does not exist", "path of a .mlpackage file"]),
    (["inspect", "no.tflite"], ["does not exist", "path of a .tflite file"]),
    (["inspect", "no.pth"], ["ending in .aimodel, .mlpackage, .pte, .onnx, .tflite"]),
    (["verify", "no.mlpackage"], ["is not an artifact", "styleexport onnx"]),
    (["doctor", "--make-env", "tf"], ["unknown environment 'tf'", "type --make-env onnx2tf"]),
]


@pytest.mark.parametrize(("arguments", "parts"), USAGE, ids=[" ".join(row[0]) for row in USAGE])
def test_what_is_mistyped_is_answered_before_any_work(cli, tmp_path, arguments, parts):
    found = cli(*arguments)
    found.refused(2, *parts)
    assert found.progress == []
    assert not list(tmp_path.iterdir())


HELD = "it holds coreai fp16, coreml fp16, executorch fp32, onnx fp32, tflite fp32"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--target", "torch"], f"holds no torch file: {HELD}"),
        (["--precision", "int8"], f"holds no int8 file: {HELD}"),
        (["--target", "onnx", "--precision", "fp16"], f"holds no onnx fp16 file: {HELD}"),
        (["--target", "coreml", "--precision", "fp32"], f"holds no coreml fp32 file: {HELD}"),
        (["--precision", "int4"], f"'int4': {PRECISIONS}"),
        (["--precision", "all"], f"'all': {PRECISIONS}"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_files_that_an_artifact_lacks(cli, whole, tmp_path, arguments, part):
    picture(tmp_path / "c.png")
    found = cli("stylize", whole, "c.png", "c.png", *arguments, "-o", "out.png")
    found.refused(2, part, "--precision fp")
    nothing_at(tmp_path / "out.png")


def test_files_that_cannot_be_compared(cli, whole):
    transform = whole / "adain-lite_transform_40x56_fp32.tflite"
    sized = cli("diff", whole / ONNX, whole / TFLITE, "--size", "64")
    sized.refused(2, "no probe of 64x64", "expected one of 40x56", "type --size 40x56")
    cli("diff", whole / ONNX, whole / TFLITE, "--size", "big").refused(2, "'big' is not a size")
    cli("diff", whole / ONNX, transform).refused(2, "transform", "name two files of one role")
    cli("diff", whole, whole).refused(2, "is an artifact folder", "name two of its files")
    inner = cli("diff", whole / ONNX, whole / CORE_ML / WEIGHTS)
    inner.refused(2, "lists no exported file", "expected one of", ONNX)
    mapped = cli("diff", whole / ONNX, whole / TFLITE, "-o", "map.png")
    mapped.refused(2, "returns a style code", "leave out -o")
    assert not Path("map.png").exists()


def test_a_target_is_named_once(tmp_path):
    request = ExportRequest(open_network("adain-lite"), tmp_path / "out", ("onnx", "onnx"))
    with pytest.raises(UsageError, match=r"targets onnx, onnx: name each one once"):
        export(request)
    nothing_at(tmp_path / "out")


def test_a_file_of_one_size_refuses_others(whole):
    picture_of_64 = np.zeros((1, 3, 64, 64), np.float32)
    with (
        find_runner("litert").open(whole / TFLITE, RunOptions()) as session,
        pytest.raises(UsageError, match=r"takes style \[1, 3, 40, 56\], got .* 64\]: .* --size"),
    ):
        session({"style": picture_of_64})
    with (
        find_runner("coreml-reference").open(whole / CORE_ML, RunOptions()) as session,
        pytest.raises(UsageError, match="takes style as 40x56; got 64x64"),
    ):
        session({"style": picture_of_64})


def test_a_package_of_several_sizes_refuses_others(cli, tiny):
    written = cli("coreml", tiny, "--enumerated", "--size", "40x56", "--size", "64", "-o", "out")
    assert written.code == 0, written.err
    (package,) = Path("out").glob("*.mlpackage")
    other = cli("diff", package, package, "--size", "48")
    other.refused(2, "no probe of 48x48", "expected one of 40x56, 64x64", "type --size 40x56")
    assert cli("diff", package, package, "--size", "64").code == 0
    with (
        find_runner("coreml-reference").open(package, RunOptions()) as session,
        pytest.raises(UsageError, match="takes content as 40x56, 64x64; got 48x48"),
    ):
        session({"content": np.zeros((1, 3, 48, 48), np.float32)})


def test_a_package_is_no_artifact_where_the_file_system_ignores_case(cli, whole, monkeypatch):
    is_file = Path.is_file

    def ignoring_case(path: Path) -> bool:
        return is_file(path) or is_file(path.with_name(path.name.capitalize()))

    monkeypatch.setattr(Path, "is_file", ignoring_case)
    found = cli("inspect", whole / CORE_ML)
    found.fine()
    assert "Core ML, ML program" in found.out


# --- what is not installed ----------------------------------------------------------------------

COREAI_LINE = "pip install 'styleexport[coreai]'"
COREML_LINE = "pip install 'styleexport[coreml]'"
TFLITE_LINE = "pip install 'styleexport[tflite]'"
EXECUTORCH_LINE = "pip install 'styleexport[executorch]'"
IMPORTING = ("targets", "converters", "quantize")


@pytest.fixture
def uninstall(monkeypatch) -> Callable[[str], None]:
    """Make a library look as if it were not installed."""

    def remove(library: str) -> None:
        loaded = dict(sys.modules)
        for name, module in loaded.items():
            if name.split(".")[0] == library:
                monkeypatch.setitem(sys.modules, name, None)
            elif any(name.startswith(f"styleexport.exporter.{room}.") for room in IMPORTING):
                monkeypatch.delitem(sys.modules, name)
                package, _, attribute = name.rpartition(".")
                # Put back at the end, with the module: an import in between replaces both.
                monkeypatch.setattr(loaded[package], attribute, module)
        monkeypatch.setitem(sys.modules, library, None)

    return remove


@pytest.mark.parametrize(
    ("command", "library", "line"),
    [
        ("coreai", "coreai", COREAI_LINE),
        ("coreai", "coreai_torch", COREAI_LINE),
        ("coreml", "coremltools", COREML_LINE),
        ("executorch", "executorch", EXECUTORCH_LINE),
        ("tflite", "litert_torch", TFLITE_LINE),
        ("tflite", "ai_edge_litert", TFLITE_LINE),
        ("tflite", "ai_edge_quantizer", TFLITE_LINE),
        ("export", "coremltools", COREML_LINE),
        ("export", "litert_torch", TFLITE_LINE),
    ],
)
def test_an_export_says_what_to_install_before_any_work(
    cli, tmp_path, uninstall, command, library, line
):
    uninstall(library)
    found = cli(command, "-o", "out")
    found.refused(4, f"needs {library}, which is not installed", line)
    assert found.progress == []
    nothing_at(tmp_path / "out")


def test_palettes_say_what_to_install(cli, tmp_path, uninstall):
    # As many weights as are compressed, and fewer than coremltools clusters by itself.
    spec = module_file(
        "wide", "def build(): return nn.Sequential(nn.Conv2d(3, 3, 15, padding=7), nn.Sigmoid())"
    )
    call = ("coreml", spec, "--precision", "palette4", "--size", "64", "-o", "out")
    uninstall("sklearn")
    found = cli(*call)
    found.refused(4, "--precision palette4 needs sklearn, which is not installed", COREML_LINE)
    nothing_at(tmp_path / "out")


@pytest.mark.parametrize(
    ("library", "name", "line"),
    [
        ("coreai", CORE_AI, COREAI_LINE),
        ("coremltools", CORE_ML, COREML_LINE),
        ("ai_edge_litert", TFLITE, TFLITE_LINE),
    ],
)
def test_running_a_file_says_what_to_install(cli, whole, tmp_path, uninstall, library, name, line):
    picture(tmp_path / "c.png")
    uninstall(library)
    target = {CORE_ML: "coreml", CORE_AI: "coreai"}.get(name, "tflite")
    painting = ("stylize", whole, "c.png", "c.png", "-o", "out.png", "--target")
    for command in (
        ("inspect", whole / name),
        ("verify", whole),
        (*painting, target),
        ("diff", whole / ONNX, whole / name),
    ):
        cli(*command).refused(4, f"needs {library}, which is not installed", line)
    nothing_at(tmp_path / "out.png")
    cli("inspect", whole).fine()
    cli("inspect", whole / ONNX).fine()
    cli(*painting, "onnx").fine()


def test_what_is_not_installed_can_be_skipped(cli, tmp_path, tiny, uninstall):
    for library in ("coreai", "coremltools", "executorch", "litert_torch"):
        uninstall(library)
    call = ("export", tiny, "--size", "64", "-o", "out", "--skip-missing")
    found = cli(*call)
    assert found.code == 0, found.err
    expected = (
        ("Core AI needs coreai", COREAI_LINE),
        ("coreml needs coremltools", COREML_LINE),
        ("executorch needs executorch", EXECUTORCH_LINE),
        ("litert-torch needs litert_torch", TFLITE_LINE),
    )
    for line, (start, remedy) in zip(found.progress, expected, strict=False):
        assert line.startswith(f"skipped: {start}")
        assert remedy in line
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert [fact["target"] for fact in manifest["files"]] == ["onnx"]
    none = cli(*call, "--target", "coreml", "--target", "tflite")
    none.refused(4, "needs litert_torch, which is not installed", TFLITE_LINE)
    one = cli(*call, "--target", "coreml")
    one.refused(4, "needs coremltools, which is not installed", COREML_LINE)


def test_an_environment_that_is_not_there_is_named_before_any_work(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEEXPORT_ENVS", str(tmp_path / "envs"))
    found = cli("tflite", "--converter", "onnx2tf", "-o", "out")
    found.refused(4, "onnx2tf runs in an environment of its own", "not there", "doctor --make-env")
    assert found.progress == []
    nothing_at(tmp_path / "out")


def test_a_library_that_doctor_misses(cli, monkeypatch):
    version = importlib.metadata.version

    def without_onnx(name: str) -> str:
        if name == "onnx":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_onnx)
    cli("doctor").refused(4, "onnx not installed: pip install ", "onnx==")


def test_importing_the_libraries_prints_nothing(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "styleexport", "coreml", "--ios", "15"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: iOS 15: expected 16, 17 or 18; type --ios 16\n"


# --- where an export goes -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["coreml", "tflite", "export"])
def test_a_place_that_cannot_be_written(cli, tmp_path, tiny, command):
    (tmp_path / "file").write_text("x")
    call = (command, tiny, "--size", "64", "-o")
    cli(*call, "file/below/out").refused(4, "cannot write ", "choose another place with -o")
    cli(*call, "file").refused(2, "file is a file, expected a folder", "-o")
    assert (tmp_path / "file").read_text() == "x"
    nothing_half_written(tmp_path)


@pytest.mark.parametrize(("command", "part"), [("coreml", "weight.bin"), ("tflite", ".tflite")])
def test_a_full_disk(cli, tmp_path, tiny, monkeypatch, command, part):
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name.endswith(part) and tmp_path in self.parents:
            write_bytes(self, bytes(data[:100]))
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    found = cli(command, tiny, "--size", "64", "-o", "out")
    found.refused(4, "out: No space left on device", "free some space")
    nothing_at(tmp_path / "out")


def test_packages_of_an_earlier_export_are_replaced(cli, tmp_path, tiny):
    call = ("coreml", tiny, "--size", "64", "-o", "out")
    cli(*call).fine()
    (package,) = Path("out").glob("*.mlpackage")
    before = sha256_of_file(package)
    cli(*call).fine()
    assert sha256_of_file(package) == before
    cli("onnx", tiny, "--size", "64", "-o", "out").fine()
    assert not package.exists()
    nothing_half_written(tmp_path)


def test_files_put_into_a_package_are_kept(cli, tmp_path, tiny):
    call = ("coreml", tiny, "--size", "64", "-o", "out")
    cli(*call).fine()
    (package,) = Path("out").glob("*.mlpackage")
    (package / "thesis.txt").write_text("years of work")
    cli("verify", "out").refused(2, f"{package.name} was altered", AGAIN)
    cli("inspect", package).fine()
    for options in ((), ("--overwrite",)):
        found = cli(*call, *options)
        found.refused(2, f"out holds {package.name}/thesis.txt", "choose another", "move that away")
        assert found.progress == []
        assert (package / "thesis.txt").read_text() == "years of work"
    (package / "thesis.txt").rename("thesis.txt")
    (package / "Data/more").write_text("edited")
    cli(*call).refused(2, f"{package.name}, which was altered", "--overwrite")
    cli(*call, "--overwrite").fine()
    cli("verify", "out").fine()
    nothing_half_written(tmp_path)
