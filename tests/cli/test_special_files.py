"""Pipes, sockets, devices and endless links as any input: refused at once, and said."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, edit_manifest, picture

# Path of the special file → the command that reads it. Folders are those of the fixture `place`.
INPUTS = {
    "weights.safetensors": "onnx adain-lite --checkpoint {} -o out",
    "weights.pth": "onnx adain-lite --checkpoint {} -o out",
    "weights.npz": "onnx fast-style --checkpoint {} -o out",
    "network.onnx": "onnx {} -o out",
    "network.pt2": "onnx {} -o out",
    "recipe.json": "onnx --precision int8 --size 64 --recipe {} -o out",
    "file.onnx": "inspect {}",
    "file.tflite": "inspect {}",
    "report.json": "report {}",
    "table.sqlite": "report {}",
    "before.json": "bench compare {} {}",
    "plan.toml": "sweep {}",
    "out.sqlite": "sweep good.toml -o {}",
    "vgg16.pth": "train adain-lite --content p --style p --loss-weights {} -o out",
    "backbone.pth": "train adain-vgg16 --content p --style p --loss-weights w --backbone {} -o out",
    "teacher.pth": "distill --teacher adain-vgg16 --teacher-checkpoint {} --student adain-lite "
    "--content p --style p -o out",
    "artifact/manifest.json": "verify artifact",
    "photo.png": "stylize good-artifact {} p/a.png",
    "style.jpg": "styles pack good-artifact {}",
}
KINDS = ("named pipe", "socket", "character device", "endless link")


def make_special(kind: str, path: Path) -> str:
    """Put something at a path that is no regular file; return how a message calls it."""
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))  # an address has at most 108 bytes
    elif kind == "character device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path.name)
        return "Too many levels of symbolic links"
    return f"is a {kind}, expected a regular file"


@pytest.fixture
def place(tmp_path: Path, artifact: Path) -> Path:
    """A folder with pictures, a good sweep, an artifact and an empty one."""
    (tmp_path / "good-artifact").symlink_to(artifact)
    picture(tmp_path / "p/a.png")
    (tmp_path / "w").touch()
    (tmp_path / "artifact").mkdir()
    (tmp_path / "good.toml").write_text('networks = ["adain-lite"]\nsizes = [64]\n')
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    """End the run if a command waits, which it would do for ever."""
    watch = threading.Timer(60, os._exit, [1])
    watch.start()
    yield
    watch.cancel()


@pytest.mark.parametrize("name", INPUTS)
def test_a_pipe_as_any_input_is_refused(cli: Cli, place: Path, name: str):
    said = make_special("named pipe", place / name)
    cli(*INPUTS[name].replace("{}", name).split()).refused(2, Path(name).name, said)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["weights.pth", "report.json", "table.sqlite", "plan.toml"])
def test_other_special_files_are_refused_too(cli: Cli, place: Path, name: str, kind: str):
    said = make_special(kind, place / name)
    cli(*INPUTS[name].replace("{}", name).split()).refused(2, name, said)


def test_a_pipe_in_place_of_an_artifacts_file_is_refused(cli: Cli, copied: Path):
    file = next(copied.glob("*.onnx"))
    file.unlink()
    os.mkfifo(file)
    cli("verify", copied).refused(2, file.name, "is a named pipe")


def test_a_manifest_that_names_a_device_is_refused(cli: Cli, copied: Path):
    (copied / "zero").symlink_to("/dev/zero")
    edit_manifest(copied, lambda content: content["probes"][0].update(path="zero"))
    cli("verify", copied).refused(2, "zero is a character device")


@pytest.fixture
def copied(tmp_path: Path, artifact: Path) -> Path:
    """A copy of the shared artifact, to be damaged."""
    import shutil

    return Path(shutil.copytree(artifact, tmp_path / "copied"))
