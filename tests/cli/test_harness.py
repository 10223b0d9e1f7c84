"""`styleexport harness sync`: what an app runs of an artifact, whole, or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from styleexport.core.manifest import read_manifest, size_of_file
from tests.cli.conftest import nothing_half_written

COLOUR = Path(__file__).parents[1] / "contract" / "artifacts" / "colour-transfer"
ANDROID = Path("android_harness/app/src/main/assets/artifacts")
IOS = Path("ios_harness/App/Resources/artifacts")


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder with the sources of both apps."""
    (tmp_path / "android_harness" / "app" / "src" / "main").mkdir(parents=True)
    (tmp_path / "ios_harness" / "App").mkdir(parents=True)
    return tmp_path


def test_android_gets_its_files_with_probes_and_styles(cli, checkout):
    done = cli("harness", "sync", COLOUR, "--into", "android")
    done.fine()
    folder = checkout / ANDROID / "colour-transfer"
    manifest = read_manifest(folder)
    assert {Path(fact.path).suffix for fact in manifest.files} == {".onnx", ".tflite"}
    assert manifest.styles[0].names == ("dusk", "sea")
    assert (len(manifest.files), len(manifest.probes), manifest.programs) == (4, 2, ())
    listed = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert listed == {"manifest.json", *manifest.known_paths()}
    assert f"{size_of_file(folder) / 1e3:.1f} kB" in done.out.splitlines()[-1]


def test_ios_gets_packages_and_an_encoder_of_its_own_for_the_styles(cli, checkout):
    cli("harness", "sync", COLOUR, "--into", "ios").fine()
    manifest = read_manifest(checkout / IOS / "colour-transfer")
    assert {Path(fact.path).suffix for fact in manifest.files} == {".mlpackage"}
    assert manifest.styles[0].encoder == "colour-transfer_encode_8x12_fp32.mlpackage"


def test_a_sync_replaces_an_artifact_and_counts_what_is_beside_it(cli, checkout):
    cli("harness", "sync", COLOUR, "--into", "android").fine()
    stale = checkout / ANDROID / "colour-transfer" / "stale.tflite"
    stale.touch()
    other = shutil.copytree(COLOUR, checkout / "other one")
    kept = cli("harness", "sync", COLOUR, "--into", "android")
    kept.refused(2, "is not an artifact with no other files in it, so it is kept")
    stale.unlink()
    cli("harness", "sync", COLOUR, "--into", "android").fine()
    done = cli("harness", "sync", other, "--into", "android")
    done.fine()
    assert "built into the app: colour-transfer, other-one, " in done.out
    printed = json.loads(cli("harness", "sync", other, "--into", "android", "--json").out)
    assert set(printed["bundled"]) == {"colour-transfer", "other-one"}
    assert printed["sizes"]["manifest.json"] == size_of_file(
        checkout / ANDROID / "other-one" / "manifest.json"
    )


def test_the_source_is_found_from_below_and_by_its_name(cli, checkout, monkeypatch):
    (checkout / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(checkout / "deep" / "er")
    cli("harness", "sync", COLOUR, "--into", "android").fine()
    monkeypatch.chdir(checkout / "android_harness" / "app")
    cli("harness", "sync", COLOUR, "--into", "android").fine()
    cli("harness", "sync", COLOUR, "--into", "ios", "--app", checkout / "ios_harness").fine()
    assert (checkout / IOS / "colour-transfer" / "manifest.json").is_file()


def test_bad_calls_say_what_to_type(cli, tmp_path):
    sync = ("harness", "sync", COLOUR, "--into")
    cli(*sync, "android").refused(2, "there is no android_harness in", "--app PATH/android_harness")
    cli(*sync, "ios", "--app", tmp_path).refused(2, "is no source of the ios app: it has no App")
    cli(*sync, "windows").refused(2, "'windows' is not one of 'android', 'ios'")
    cli("harness", "sync", COLOUR).refused(2, "Missing option '--into'")


def test_an_artifact_that_the_app_does_not_run_leaves_nothing(cli, checkout, artifact):
    cli("harness", "sync", artifact, "--into", "ios").refused(
        2,
        "holds .onnx files, the app runs .mlpackage and .aimodel: type `styleexport export adain",
    )
    assert not (checkout / "ios_harness" / "App" / "Resources").exists()


def test_a_damaged_artifact_changes_nothing(cli, checkout):
    cli("harness", "sync", COLOUR, "--into", "android").fine()
    before = read_manifest(checkout / ANDROID / "colour-transfer")
    damaged = shutil.copytree(COLOUR, checkout / "x" / "colour-transfer")
    (damaged / "colour-transfer_encode_8x12_fp32.onnx").write_bytes(b"no")
    cli("harness", "sync", damaged, "--into", "android").refused(2, "was altered: its sha256")
    assert read_manifest(checkout / ANDROID / "colour-transfer") == before
    nothing_half_written(checkout)
