"""Packs of styles: several processes at once, packs in place of others, and kills in between."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file

from styleexport.core import locks
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import (
    foreign_files,
    is_style_pack,
    is_thumbnail,
    read_manifest,
    write_manifest,
)
from styleexport.runtime_bench.stylize import style_pack
from styleexport.runtime_bench.stylize.style_pack import pack_styles


class StubStylizer:
    """Encodes without a runtime, which a fork could not use."""

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)

    def __enter__(self) -> StubStylizer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def encode(self, _image: object) -> np.ndarray:
        return np.full((1, 4), os.getpid(), np.float32)


def stub_thumbnails(_artifact: Path, codes: dict[str, np.ndarray], _: object) -> dict[str, bytes]:
    """Bytes that differ where the codes do."""
    return {style: code.tobytes() for style, code in codes.items()}


@pytest.fixture
def copy(artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shared artifact, whose packs hold the process id."""
    monkeypatch.setattr(style_pack, "Stylizer", StubStylizer)
    monkeypatch.setattr(style_pack, "paint_thumbnails", stub_thumbnails)
    monkeypatch.setattr(locks, "POLL_SECONDS", 0.001)
    return Path(shutil.copytree(artifact, tmp_path / "copy"))


def packs(artifact: Path) -> dict[str, str]:
    """Return name → path of the packs of an artifact that is whole."""
    return {Path(pack.path).stem: pack.path for pack in read_manifest(artifact).styles}


@pytest.mark.parametrize("names", [[f"pack{i}" for i in range(6)], ["same"] * 6])
def test_packs_of_several_processes_are_all_listed(copy, photo, names):
    fork = multiprocessing.get_context("fork")
    jobs = [fork.Process(target=pack_styles, args=(copy, [photo], name)) for name in names]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 6
    assert sorted(packs(copy)) == sorted(set(names))
    assert sorted(p.name for p in copy.rglob("styles/**/*.safetensors")) == sorted(
        {f"{name}.safetensors" for name in names}
    )
    thumbnails = {fact.path for pack in read_manifest(copy).styles for fact in pack.thumbnails}
    assert {f"styles/thumbnails/{p.name}" for p in copy.rglob("styles/**/*.jpg")} == thumbnails
    assert len(thumbnails) == len(set(names))
    assert not list(copy.rglob(".*"))


def test_a_pack_in_place_of_another_is_beside_it_and_then_back(copy, photo):
    places = [pack_styles(copy, [photo], "mine").path for _ in range(3)]
    assert places == [
        "styles/mine.safetensors",
        "styles/2/mine.safetensors",
        "styles/mine.safetensors",
    ]
    assert sorted(p.name for p in (copy / "styles").iterdir()) == ["mine.safetensors", "thumbnails"]


def test_an_artifact_that_was_exported_anew_meanwhile_takes_no_old_codes(copy, photo, monkeypatch):
    def encode(self: StubStylizer, _image: object) -> np.ndarray:
        files = tuple(
            msgspec.structs.replace(fact, version="another") for fact in self.manifest.files
        )
        write_manifest(msgspec.structs.replace(self.manifest, files=files), copy)
        return np.zeros((1, 4), np.float32)

    monkeypatch.setattr(StubStylizer, "encode", encode)
    with pytest.raises(BadArtifact, match="was exported anew meanwhile: pack the styles again"):
        pack_styles(copy, [photo], "mine")
    assert not (copy / "styles").exists()


def test_a_file_that_is_no_pack_is_kept(copy, photo):
    (copy / "styles").mkdir()
    (copy / "styles/mine.safetensors").write_text("precious")
    with pytest.raises(UsageError, match="is no pack of styles, so it is kept"):
        pack_styles(copy, [photo], "mine")
    (copy / "styles/other.safetensors").write_text("precious too")
    pack_styles(copy, [photo], "third")
    assert (copy / "styles/mine.safetensors").read_text() == "precious"
    assert foreign_files(copy) == ["styles/mine.safetensors", "styles/other.safetensors"]


def test_what_a_killed_process_did_not_list_is_removed_by_the_next(copy, photo):
    pack_styles(copy, [photo], "mine")
    shutil.copy(copy / "styles/mine.safetensors", copy / "styles/unlisted.safetensors")
    assert is_style_pack(copy / "styles/unlisted.safetensors")
    assert foreign_files(copy) == []
    pack_styles(copy, [photo], "other")
    assert sorted(packs(copy)) == ["mine", "other"]
    assert not (copy / "styles/unlisted.safetensors").exists()
    assert set(load_file(copy / packs(copy)["mine"])) == {photo.stem}


def test_a_thumbnail_is_named_by_its_contents_and_shared_by_those_that_look_alike(
    copy, photo, monkeypatch
):
    first, second = (pack_styles(copy, [photo], name).thumbnails for name in ("mine", "other"))
    assert first == second
    (thumbnail,) = first
    place = copy / thumbnail.path
    assert is_thumbnail(place)
    assert place.name == f"{thumbnail.sha256[:16]}.jpg"
    monkeypatch.setattr(style_pack, "paint_thumbnails", lambda *_: {photo.stem: b"another"})
    pack_styles(copy, [photo], "mine")
    assert place.exists()
    pack_styles(copy, [photo], "other")
    assert not place.exists()
    monkeypatch.setattr(style_pack, "paint_thumbnails", lambda *_: {})
    for name in ("mine", "other"):
        pack_styles(copy, [photo], name)
    assert not (copy / "styles/thumbnails").exists()


def test_an_altered_thumbnail_is_refused_and_a_foreign_file_kept(copy, photo):
    (thumbnail,) = pack_styles(copy, [photo], "mine").thumbnails
    (copy / "styles/thumbnails/holiday.jpg").write_text("precious")
    assert foreign_files(copy) == ["styles/thumbnails/holiday.jpg"]
    (copy / thumbnail.path).write_bytes(b"altered")
    assert foreign_files(copy) == ["styles/thumbnails/holiday.jpg"]
    with pytest.raises(BadArtifact, match=f"{thumbnail.path} was altered"):
        pack_styles(copy, [photo], "other")
    (copy / "styles/mine.safetensors").unlink()
    manifest = read_manifest(copy, check_files=False)
    write_manifest(msgspec.structs.replace(manifest, styles=()), copy)
    with pytest.raises(UsageError, match="is there already and is not a new file"):
        pack_styles(copy, [photo], "mine")
    assert read_manifest(copy).styles == ()
