"""`export --full` and `stylize --full` as they are typed."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from styleexport.core.types import Precision
from tests.cli.conftest import nothing_at, picture


@pytest.fixture
def tiled(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = zoo.in_tiles("adain-lite", "onnx", Precision.FP32, Precision.INT8)
    return shutil.copytree(folder, tmp_path / "tiled")


@pytest.mark.parametrize("size", [(300, 201), (1, 1), (1500, 10)])
def test_large_pictures_are_painted_at_their_size(tiled, call, tmp_path, size):
    photo, style = picture(tmp_path / "a.png", size), picture(tmp_path / "b.png", (50, 60))
    code, out, _ = call("stylize", tiled, photo, style, "--full", "-o", "out.png")
    assert (code, out) == (0, "out.png\n")
    assert Image.open("out.png").size == size


def test_tiles_are_taken_where_the_files_are_too_small(tiled, call, tmp_path):
    photo, style = picture(tmp_path / "a.png", (300, 201)), picture(tmp_path / "b.png", (50, 60))
    for name, options in {"auto": [], "full": ["--full"], "frame": ["--no-full"]}.items():
        code, *_ = call("stylize", tiled, photo, style, *options, "-o", f"{name}.png")
        assert code == 0
    auto, full, frame = (Image.open(f"{n}.png").tobytes() for n in ("auto", "full", "frame"))
    assert auto == full != frame


def test_a_preview_says_what_it_loses(tiled, call, tmp_path):
    photo, style = picture(tmp_path / "a.png", (300, 201)), picture(tmp_path / "b.png", (50, 60))
    code, _, err = call(
        "stylize", tiled, photo, style, "--preview", "first.png", "--precision", "int8"
    )
    assert code == 0
    assert Image.open("first.png").size == (300, 201)
    assert "the preview is within" in err
    assert "dB of the painting" in err


def test_a_preview_without_tiles_is_refused_or_said(tiled, call, tmp_path):
    style = picture(tmp_path / "b.png", (50, 60))
    large, small = picture(tmp_path / "a.png", (300, 201)), picture(tmp_path / "c.png", (90, 70))
    code, _, err = call("stylize", tiled, large, style, "--no-full", "--preview", "first.png")
    assert code == 2
    assert "--preview is of pictures that are painted in tiles" in err
    code, _, err = call("stylize", tiled, small, style, "--preview", "first.png")
    assert code == 0
    assert "no preview: the photograph fits a file" in err
    nothing_at(tmp_path / "first.png")


def test_an_artifact_without_tiles_is_refused(artifact, call, tmp_path):
    photo, style = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    out = tmp_path / "out.png"
    code, _, err = call("stylize", artifact, photo, style, "--full", "-o", out)
    assert code == 2
    assert "export again with `styleexport export … --full`" in err
    nothing_at(out)


def test_tilings_are_listed(tiled, call):
    code, out, _ = call("inspect", tiled)
    assert code == 0
    assert "onnx int8: any size in tiles, 5 passes over windows of 128x128" in out
