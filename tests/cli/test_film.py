"""`stylize` of films, from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from styleexport.core.types import Precision
from tests.cli.conftest import nothing_at, nothing_half_written
from tests.clips import colours_of, need_av, sound_of, write_clip

need_av()

import av  # noqa: E402

from styleexport.runtime_bench.stylize import film as films  # noqa: E402
from styleexport.runtime_bench.stylize.film_painter import StableFramePainter  # noqa: E402

STYLE = ("--style-code", "udnie")


@pytest.fixture
def full(zoo):
    return zoo.in_tiles("adain-lite", "onnx", Precision.FP32, Precision.INT8)


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", 6, times=[0, 40, 80, 200, 240, 280])


def shown(path):
    with av.open(str(path)) as film:
        return [(round(f.time, 3), f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]


def test_a_film_is_painted_with_its_times_and_sound(cli, full, clip, tmp_path):
    done = cli("stylize", full, clip, *STYLE, "--stability", 1, "-o", "out.mp4", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["written"], report["frames"], report["ended"]) == (["out.mp4"], 6, "done")
    assert report["cuts"] == 0
    frames = shown(tmp_path / "out.mp4")
    assert [time for time, _ in frames] == [0, 0.04, 0.08, 0.2, 0.24, 0.28]
    assert sound_of(tmp_path / "out.mp4") == sound_of(clip)
    assert np.abs(frames[0][1].astype(int) - shown(clip)[0][1]).mean() > 10
    # Nothing moves, so nothing may change.
    assert np.abs(frames[0][1].astype(int) - frames[5][1]).mean() < 2


def test_the_name_is_the_films_and_ours_is_replaced(cli, full, clip, tmp_path):
    for _ in range(2):
        done = cli("stylize", full, clip, *STYLE)
        assert (done.code, done.out) == (0, "clip-stylized.mp4\n"), done.err
    nothing_half_written(tmp_path)


def test_an_artifact_without_tiles_paints_frame_by_frame_and_says_so(cli, artifact, clip):
    done = cli("stylize", artifact, clip, "style.png", "-o", "out.mp4")
    assert "style.png does not exist" in done.err
    packed = cli("styles", "list", artifact)
    assert packed.code == 0
    from PIL import Image

    Image.new("RGB", (64, 64), "teal").save("style.png")
    done = cli("stylize", artifact, clip, "style.png", "-o", "out.mp4")
    assert done.code == 0, done.err
    assert "--stability needs files of `styleexport export --full`" in done.err
    assert len(shown("out.mp4")) == 6
    done = cli("stylize", artifact, clip, "style.png", "--stability", 0.5, "-o", "out.mp4")
    done.refused(2, "--full")


def test_a_film_turned_by_its_matrix_is_painted_upright(cli, full, tmp_path):
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    turned = write_clip(tmp_path / "turned.mp4", 2, matrix=matrix)
    assert cli("stylize", full, turned, *STYLE, "--alpha", 0, "-o", "out.mp4").code == 0
    frame = shown("out.mp4")[0][1]
    assert frame.shape == (96, 64, 3)
    assert colours_of(frame)[0] != 0


def test_ctrl_c_leaves_the_frames_so_far(cli, full, clip, tmp_path, monkeypatch):
    paint = StableFramePainter.__call__

    def stop(self, frame, seconds):
        if seconds > 0.1:
            raise KeyboardInterrupt
        return paint(self, frame, seconds)

    monkeypatch.setattr(StableFramePainter, "__call__", stop)
    done = cli("stylize", full, clip, *STYLE, "-o", "out.mp4")
    assert done.code == 130
    assert "out.mp4 holds the 3 frames painted so far, and plays" in done.err
    assert [time for time, _ in shown("out.mp4")] == [0, 0.04, 0.08]
    nothing_half_written(tmp_path)


def test_ctrl_c_before_the_first_frame_leaves_nothing(cli, full, clip, tmp_path, monkeypatch):
    def stop(self, frame, seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(StableFramePainter, "__call__", stop)
    assert cli("stylize", full, clip, *STYLE, "-o", "out.mp4").code == 130
    nothing_at(tmp_path / "out.mp4")


def test_an_error_of_a_painter_leaves_nothing(full, clip, tmp_path):
    def broken(frame, seconds):
        raise ValueError("broken")

    with films.FilmReader(clip) as film, pytest.raises(ValueError, match="broken"):
        films.paint_film(film, tmp_path / "out.mp4", broken)
    nothing_at(tmp_path / "out.mp4")


def test_a_film_that_ends_early_leaves_what_there_was(cli, full, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 96, 3), np.uint8)
    options = {"movflags": "+faststart"}
    whole = write_clip(tmp_path / "whole.mp4", list(noise), container=options).read_bytes()
    (tmp_path / "part.mp4").write_bytes(whole[: len(whole) // 3])
    done = cli("stylize", full, "part.mp4", *STYLE, "-o", "out.mp4")
    assert done.code == 2
    assert "part.mp4" in done.err
    assert "out.mp4 holds the" in done.err
    assert 3 < len(shown("out.mp4")) < 30


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("-o", "out.avi"), ("expected one of .mp4, .m4v, .mov, .mkv", "-o out.mp4")),
        (("-o", "clip.mp4"), ("clip.mp4 is one of the inputs",)),
        (("--stability", 2, "-o", "o.mp4"), ("type --stability 0 to --stability 1",)),
        (("--preview", "p.png"), ("--preview is for photographs",)),
        (("--no-full", "--stability", 1), ("leave out --no-full",)),
    ],
)
def test_bad_options_are_refused_before_a_frame(cli, full, clip, options, parts):
    cli("stylize", full, "clip.mp4", *STYLE, *options).refused(2, *parts)


def test_bad_films_are_named(cli, full, tmp_path, photo):
    (tmp_path / "bad.mp4").write_bytes(b"no film" * 200)
    cli("stylize", full, "bad.mp4", *STYLE).refused(2, "film bad.mp4 cannot be read", "MP4")
    cli("stylize", full, "none.mp4", *STYLE).refused(2, "film none.mp4 does not exist")
    cli("stylize", full, photo, *STYLE, "--stability", 1).refused(2, "--stability is for films")
    nothing_at(tmp_path / "bad-stylized.mp4")


def test_films_need_the_extra(cli, full, clip, monkeypatch):
    import sys

    for name in [n for n in sys.modules if n == "av" or n.startswith("av.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    done = cli("stylize", full, "clip.mp4", *STYLE, "-o", "out.mp4")
    done.refused(4, "pip install 'styleexport[film]'")
