"""Thumbnails of styles: what they show, by which file, and what is said where there are none."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageStat

from styleexport.core import assets
from styleexport.core.errors import UsageError
from styleexport.core.images import read_image
from styleexport.core.manifest import read_manifest, write_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.runners._runner import find_runner
from styleexport.runtime_bench.stylize import thumbnails
from styleexport.runtime_bench.stylize.style_pack import pack_styles
from styleexport.runtime_bench.stylize.stylizer import Stylizer
from styleexport.runtime_bench.stylize.thumbnails import paint_thumbnails

CONTRACT = Path(__file__).parents[2] / "contract/artifacts/colour-transfer"


def without(artifact: Path, place: Path, role: Role, suffix: str = "") -> Path:
    """A copy of an artifact without the files of a role, or only those of a format."""
    shutil.copytree(artifact, place)
    manifest = read_manifest(place)
    files = tuple(
        fact
        for fact in manifest.files
        if fact.role is not role or (suffix and fact.path.endswith(suffix))
    )
    write_manifest(msgspec.structs.replace(manifest, files=files), place)
    return place


def test_a_thumbnail_is_the_shipped_photograph_in_the_style(artifact, tmp_path, photo):
    copy = shutil.copytree(artifact, tmp_path / "copy")
    said: list[str] = []
    (fact,) = pack_styles(copy, [photo], "mine", said.append).thumbnails
    assert (fact.style, said) == (photo.stem, [])
    with Image.open(copy / fact.path) as thumbnail, Stylizer(copy) as stylizer:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (128, 128))
        lake = read_image(assets.folder() / assets.DEMO_CONTENT)
        content = centre_crop(lake, Size(64, 64))  # the smaller of the two sizes
        painted = stylizer.stylize(content, stylizer.packed(photo.stem))
        expected = centre_crop(painted, Size(128, 128))
        brightness = [np.asarray(p.convert("L"), float) for p in (thumbnail, expected)]
        assert np.abs(brightness[0] - brightness[1]).mean() < 6


def test_a_style_takes_one_run_at_the_smallest_size(artifact, monkeypatch):
    sizes: list[tuple[int, int]] = []
    stylize = Stylizer.run

    def count(self: Stylizer, fact, inputs):
        sizes.append(inputs["content"].shape[2:])
        return stylize(self, fact, inputs)

    monkeypatch.setattr(Stylizer, "run", count)
    codes = {name: np.full((1, 480), value, np.float32) for name, value in (("a", 0.2), ("b", 1))}
    painted = paint_thumbnails(artifact, codes, pytest.fail)
    assert list(painted) == ["a", "b"]
    assert sizes == [(64, 64)] * 2
    assert painted["a"] != painted["b"]


def test_what_only_the_reference_interpreter_runs_is_not_painted(tmp_path, monkeypatch):
    """As an artifact of Core ML packages alone, on a machine that is not a Mac."""
    copy = without(CONTRACT, tmp_path / "copy", Role.TRANSFORM, ".mlpackage")
    monkeypatch.setattr(thumbnails, "runner_for", lambda _: find_runner("coreml-reference"))
    said: list[str] = []
    codes = {"dusk": np.zeros((1, 6), np.float32)}
    assert paint_thumbnails(copy, codes, said.append) == {}
    assert said == [
        "no thumbnails of the styles: colour-transfer_transform_8x12_fp32.mlpackage runs here in "
        "the reference interpreter only, which is slow"
    ]


def test_an_artifact_that_does_not_paint_or_paints_nonsense_gets_codes_alone(
    artifact, tmp_path, photo, monkeypatch
):
    copy = without(artifact, tmp_path / "copy", Role.TRANSFORM)
    said: list[str] = []
    fact = pack_styles(copy, [photo], "mine", said.append)
    assert (fact.names, fact.thumbnails) == ((photo.stem,), ())
    assert said == [f"no thumbnails of the styles: {copy} has no transform file"]

    def refuse(*_: object) -> None:
        raise UsageError("it computes NaN")

    monkeypatch.setattr(Stylizer, "stylize", refuse)
    whole = shutil.copytree(artifact, tmp_path / "whole")
    assert pack_styles(whole, [photo], "mine", said.append).thumbnails == ()
    assert said[1:] == ["no thumbnails of the styles: it computes NaN"]


def test_the_file_of_any_size_paints_larger_than_the_thumbnail(artifact):
    with Stylizer(artifact) as stylizer:
        stylizer.files = tuple(msgspec.structs.replace(f, size=None) for f in stylizer.files)
        assert thumbnails._smallest_size(stylizer) == Size(256, 256)


def test_a_thumbnail_is_a_few_kilobytes():
    lake = read_image(assets.folder() / assets.DEMO_CONTENT)
    raw = thumbnails._jpeg(lake)
    assert 3000 < len(raw) < 9000
    assert ImageStat.Stat(Image.open(io.BytesIO(raw))).stddev[0] > 10
