"""Photographs of any size, painted in tiles with the files of an artifact."""

from __future__ import annotations

import contextlib
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from styleexport.core.errors import DeviceError, ParityFailure, UsageError
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision
from styleexport.runtime_bench.stylize.full_picture import FullPainter, ImagePicture, is_reduced
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer
from styleexport.runtime_bench.tiling import map_store
from styleexport.runtime_bench.tiling import painter as painter_module

Usage = namedtuple("Usage", "total used free")


def picture(width: int, height: int) -> Image.Image:
    small = np.random.default_rng(width).integers(0, 255, (8, 8, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def stylizer(zoo):
    folder = zoo.in_tiles("adain-lite", "onnx", Precision.FP32, Precision.INT8)
    with Stylizer(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def code(stylizer):
    return stylizer.encode(picture(90, 70))


def difference(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32)).max())


@pytest.mark.parametrize("size", [(300, 201), (1, 1), (20_000, 10), (7, 400), (128, 128)])
def test_the_painting_has_the_size_of_the_picture(stylizer, code, size):
    assert FullPainter(stylizer).paint(picture(*size), code).size == size


def test_maps_in_files_paint_the_same(stylizer, code, monkeypatch):
    photo = picture(300, 201)
    painter = FullPainter(stylizer)
    in_memory = painter.paint(photo, code)
    monkeypatch.setattr(map_store, "IN_MEMORY_BYTES", 0)
    assert difference(painter.paint(photo, code), in_memory) == 0


def test_features_render_again_as_if_painted_anew(stylizer, code):
    photo, painter = picture(300, 201), FullPainter(stylizer)
    half = StylizeOptions(alpha=0.5)
    with painter.tiled.features(ImagePicture(photo)) as features:
        full = painter.render(features, photo, code, keep=True)
        again = painter.render(features, photo, code, half, keep=True)
    assert difference(full, painter.paint(photo, code)) == 0
    assert difference(again, painter.paint(photo, code, half)) == 0
    assert difference(full, again) > 10


@pytest.mark.slow
def test_a_preview_is_like_the_painting(stylizer, code):
    photo, painter = picture(500, 401), FullPainter(stylizer)
    images = [np.asarray(x, np.float32) / 255 for x in (
        painter.preview(photo, code), painter.paint(photo, code)
    )]  # fmt: skip
    assert psnr_db(*images, 1.0) > 20


@pytest.mark.parametrize("paint", ["paint", "preview"])
def test_values_that_are_not_finite_end_a_painting(stylizer, code, monkeypatch, paint):
    def broken(painter, fact):
        shapes = {item.name: item.shape for item in fact.outputs}
        values = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}
        return contextlib.nullcontext(lambda _: values)

    monkeypatch.setattr(FullPainter, "_open", broken)
    with pytest.raises(ParityFailure, match=r"NaN or infinite"):
        getattr(FullPainter(stylizer), paint)(picture(300, 201), code)


def test_tiles_are_counted(stylizer, code):
    counts: list[tuple[int, int]] = []
    FullPainter(stylizer).paint(picture(300, 201), code, count=lambda *x: counts.append(x))
    total = counts[0][1]
    assert counts == [(n, total) for n in range(1, total + 1)]


def test_colours_are_kept_where_asked(stylizer, code):
    photo = picture(200, 150)
    options = StylizeOptions(keep_colour=True)
    painted = FullPainter(stylizer).paint(photo, code, options)
    chroma = [np.asarray(x.convert("YCbCr"), np.float32)[..., 1:] for x in (painted, photo)]
    assert np.abs(chroma[0] - chroma[1]).mean() < 4


def test_too_little_room_is_said_before_anything_runs(stylizer, code, monkeypatch):
    monkeypatch.setattr(painter_module.shutil, "disk_usage", lambda _: Usage(10, 9, 1))
    monkeypatch.setattr(FullPainter, "_open", None)
    with pytest.raises(DeviceError) as caught:
        FullPainter(stylizer).paint(picture(300, 201), code)
    assert "set TMPDIR to a folder with more room" in str(caught.value)


def test_an_end_in_the_middle_leaves_nothing(stylizer, code, monkeypatch, tmp_path):
    monkeypatch.setattr(map_store, "IN_MEMORY_BYTES", 0)

    def stop(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FullPainter(stylizer, tmp_path).paint(picture(300, 201), code, count=stop)
    assert not list(tmp_path.iterdir())


def test_an_artifact_without_tiles_names_the_command(artifact):
    with Stylizer(artifact) as opened, pytest.raises(UsageError) as caught:
        FullPainter(opened)
    assert "--full" in str(caught.value)


def test_what_is_larger_than_the_files_is_reduced(stylizer):
    assert not is_reduced(stylizer, picture(128, 128), 1024)
    assert is_reduced(stylizer, picture(129, 20), 1024)
