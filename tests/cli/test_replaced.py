"""Nothing is replaced that is not ours: whatever the option, what a user has at the place stays."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from styleexport.core.images import write_image
from styleexport.runtime_bench.contract.latency import write_report
from tests.cli.conftest import Cli, edit_manifest, picture
from tests.runtime_bench.cells import small_report

# A path of the user's, and a command that is to write there.
FILES = {
    "sweep": ("precious.jpg", "sweep good.toml --restart -o precious.jpg"),
    "sweep of a json": ("precious.json", "sweep good.toml --restart -o precious.json"),
    "bench": ("precious.jpg", "bench artifact -o precious.jpg --overwrite"),
    "report as html": ("precious.html", "report r.json -o precious.html"),
    "report as text": ("precious.jpg", "report r.json --format md -o precious.jpg"),
    "report as csv": ("precious.csv", "report r.json -o precious.csv"),
    "report as json": ("precious.json", "report r.json -o precious.json"),
    "compare": ("precious.html", "compare artifact -o precious.html"),
    "compare in one picture": ("precious.png", "compare artifact --png precious.png"),
    "stylize": ("precious.jpg", "stylize artifact p/a.png p/a.png -o precious.jpg"),
    "sensitivity": ("precious.png", "sensitivity -o precious.png"),
    "evaluate": (
        "precious.png",
        "evaluate adain-lite --content p --style p --loss-weights w --sheet precious.png",
    ),
    "diff": ("precious.png", "diff artifact/a.onnx artifact/b.onnx -o precious.png"),
}
FOLDERS = {
    "export": "onnx --size 64 --overwrite -o precious",
    "export of all": "export --size 64 --overwrite -o precious",
    "prune": "prune adain-lite --overwrite -o precious",
}


@pytest.fixture
def place(tmp_path: Path, artifact: Path) -> Path:
    """A folder with an artifact, a report, pictures and a sweep."""
    (tmp_path / "artifact").symlink_to(artifact)
    picture(tmp_path / "p/a.png")
    (tmp_path / "w").touch()
    (tmp_path / "good.toml").write_text('networks = ["adain-lite"]\nsizes = [64]\n')
    write_report(small_report(), tmp_path / "r.json")
    return tmp_path


@pytest.mark.parametrize("command", FILES)
def test_a_file_of_the_users_is_kept(cli: Cli, place: Path, command: str):
    name, words = FILES[command]
    (place / name).write_bytes(b"\xff\xd8\xff precious")
    cli(*words.split()).refused(2, f"{name} is there already and is not", "so it is kept")
    assert (place / name).read_bytes() == b"\xff\xd8\xff precious"


def test_a_table_of_another_program_is_kept(cli: Cli, place: Path):
    with sqlite3.connect(place / "mine.sqlite") as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO photos VALUES ('precious')")
    before = (place / "mine.sqlite").read_bytes()
    for options in (["--restart"], []):
        cli("sweep", "good.toml", "-o", "mine.sqlite", *options).refused(
            2, "mine.sqlite is", "not the table of a sweep"
        )
        assert (place / "mine.sqlite").read_bytes() == before


@pytest.mark.parametrize("command", FOLDERS)
@pytest.mark.parametrize(
    "holds", ["thesis.txt", "manifest.json", "report.json", "weights.safetensors"]
)
def test_a_folder_of_the_users_is_kept(cli: Cli, place: Path, command: str, holds: str):
    (place / "precious").mkdir()
    (place / "precious" / holds).write_text('{"precious": true}')
    cli(*FOLDERS[command].split()).refused(2, "precious")
    assert (place / "precious" / holds).read_text() == '{"precious": true}'


def test_a_users_file_in_an_artifact_is_kept(cli: Cli, place: Path, artifact: Path):
    shutil.copytree(artifact, place / "mine")
    (place / "mine/notes.txt").write_text("precious")
    cli("onnx", "--size", "64", "-o", "mine", "--overwrite").refused(
        2, "mine holds notes.txt", "move that away"
    )
    assert (place / "mine/notes.txt").read_text() == "precious"


def test_an_altered_file_and_another_version_need_overwrite(cli: Cli, place: Path, artifact: Path):
    shutil.copytree(artifact, place / "mine")
    probe = next((place / "mine/probes").iterdir())
    whole = probe.read_bytes()
    probe.write_bytes(b"edited")
    call = ("onnx", "--size", "64", "-o", "mine")
    cli(*call).refused(2, f"{probe.name}, which was altered", "add --overwrite")
    probe.write_bytes(whole)
    edit_manifest(place / "mine", lambda content: content.update(schema_version=3))
    cli(*call).refused(2, "an artifact of another version", "add --overwrite")
    cli(*call, "--role", "encode", "--overwrite").fine()


@pytest.mark.parametrize("name", ["weights.safetensors", "report.json", "sheet.png"])
def test_a_training_keeps_what_is_in_its_folder(cli: Cli, place: Path, name: str):
    from tests.cli.test_distill import TINY, module_file

    spec = module_file("kept_tiny", TINY)
    (place / "run").mkdir()
    (place / "run" / name).write_text("precious")
    line = (
        f"distill --teacher {spec} --student kept_tiny:thin --content p --evaluation p "
        "--style p --evaluation-style p --crop 32 --size 32 --steps 1 --batch 1 "
        "--arithmetic fp32 -o run"
    )
    cli(*line.split()).refused(2, f"run/{name} is there already, and the training would replace it")
    assert (place / "run" / name).read_text() == "precious"
    assert [path.name for path in (place / "run").iterdir()] == [name]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif"])
def test_a_picture_of_ours_is_replaced_and_a_copy_of_it_by_another_program_is_not(tmp_path, suffix):
    path, image = tmp_path / f"a.{suffix}", Image.new("RGB", (8, 8))
    write_image(image, path)
    write_image(image, path)
    image.save(path)
    with pytest.raises(Exception, match="is not a picture that styleexport wrote"):
        write_image(image, path)


@pytest.mark.parametrize("suffix", ["html", "md", "csv", "json"])
def test_a_report_of_ours_is_replaced(cli: Cli, place: Path, suffix: str):
    for _ in range(2):
        assert cli("report", "r.json", "-o", f"out.{suffix}").code == 0
    text = (place / f"out.{suffix}").read_text()
    assert (text.startswith("<!--"), suffix == "md") in ((True, True), (False, False))
    if suffix == "json":
        (place / "out.json").write_text(json.dumps(json.loads((place / "r.json").read_text())))
        cli("report", "r.json", "-o", "out.json").refused(2, "is not a latency table")
