"""Films read and written: times, sound, orientation, colours, and damage."""

from __future__ import annotations

import numpy as np
import pytest

from styleexport.core.errors import BadImage, UsageError
from styleexport.core.types import Size
from styleexport.runtime_bench.film.facts import FilmFrame, check_film_suffix, is_film
from styleexport.runtime_bench.film.orientation import Orientation
from tests.clips import colours_of, corners, need_av, sound_of, write_clip

need_av()

from styleexport.runtime_bench.film.reader import FilmReader  # noqa: E402
from styleexport.runtime_bench.film.writer import FILM, FilmWriter, check_film_out  # noqa: E402

ONE = 1 << 16


def frames_of(path):
    with FilmReader(path) as film:
        return [item for item in film if isinstance(item, FilmFrame)]


def copy(source, out):
    """Write a film as it was read."""
    with (
        FilmReader(source) as film,
        FilmWriter(out, out.suffix, film.facts, film.sounds) as writer,
    ):
        for item in film:
            if isinstance(item, FilmFrame):
                writer.write(item.pixels, item)
            else:
                writer.sound(item)
        return writer, film


def seconds_of(path):
    return [round(frame.seconds, 3) for frame in frames_of(path)]


@pytest.mark.parametrize(
    ("source", "out"), [("a.mp4", "b.mp4"), ("a.mkv", "b.mp4"), ("a.mov", "b.mkv")]
)
def test_frames_times_and_sound_are_kept(tmp_path, source, out):
    times = [0, 40, 80, 210, 220, 470, 480, 1000]
    source = write_clip(tmp_path / source, times=times)
    writer, film = copy(source, tmp_path / out)
    assert (writer.frames, writer.converted, film.damaged) == (8, [], 0)
    assert seconds_of(tmp_path / out) == seconds_of(source) == [t / 1000 for t in times]
    assert sound_of(tmp_path / out) == sound_of(source)
    assert sound_of(source)[0] == "aac"
    for before, after in zip(frames_of(source), frames_of(tmp_path / out), strict=True):
        assert np.abs(before.pixels.astype(int) - after.pixels).mean() < 2


def test_a_film_without_sound_stays_one(tmp_path):
    copy(write_clip(tmp_path / "a.mp4", sound=None), tmp_path / "b.mp4")
    assert sound_of(tmp_path / "b.mp4")[0] is None


def test_sound_that_the_container_does_not_take_becomes_aac(tmp_path):
    source = write_clip(tmp_path / "a.mov", sound="pcm_s16le")
    assert copy(source, tmp_path / "b.mp4")[0].converted == ["pcm_s16le"]
    assert sound_of(tmp_path / "b.mp4")[0] == "aac"
    assert copy(source, tmp_path / "b.mov")[0].converted == []
    assert sound_of(tmp_path / "b.mov") == sound_of(source)


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30), [3, 0, 1, 2]),
        ((0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), [1, 2, 3, 0]),
        ((-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30), [2, 3, 0, 1]),
        ((-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), [1, 0, 3, 2]),
    ],
    ids=["clockwise", "counter-clockwise", "upside down", "mirrored"],
)
def test_frames_are_upright_and_written_so(tmp_path, matrix, corner):
    source = write_clip(tmp_path / "a.mp4", matrix=matrix)
    turned = matrix[0] == 0
    with FilmReader(source) as film:
        assert film.facts.size == (Size(96, 64) if turned else Size(64, 96))
    copy(source, tmp_path / "b.mp4")
    for path in (source, tmp_path / "b.mp4"):
        assert colours_of(frames_of(path)[3].pixels) == corner
    import av

    with av.open(str(tmp_path / "b.mp4")) as film:
        assert next(film.decode(video=0)).rotation == 0


def test_a_matrix_is_the_nearest_orientation():
    tilted = np.array([60000, 9000, 0, -9000, 60000, 0, 0, 0, 1 << 30], np.int32).tobytes()
    assert Orientation.of(tilted) == Orientation.of(None) == Orientation()


@pytest.mark.parametrize("colours", [(1, 1), (1, 2), (5, 1), (5, 2)], ids=str)
def test_colours_follow_matrix_and_range(tmp_path, colours):
    lossless = {"crf": "0"}
    source = write_clip(tmp_path / "a.mp4", 2, colours=colours, options=lossless)
    for path in (source, tmp_path / "b.mp4"):
        found = frames_of(path)[0].pixels
        assert np.abs(found.astype(int) - corners(96, 64))[8:24, 8:40].max() <= 4, path
        if path == source:
            copy(source, tmp_path / "b.mp4")
    import av

    with av.open(str(tmp_path / "b.mp4")) as film:
        context = film.streams.video[0].codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.pix_fmt)
    assert tags == (1, 1, 1, "yuv420p")


def test_what_a_film_does_not_say_is_decided_by_its_size(tmp_path):
    small = write_clip(tmp_path / "a.mp4", 2, colours=(5, 1), options={"crf": "0"})
    frame = frames_of(small)[0]
    import av

    with av.open(str(small)) as film:
        untagged = next(film.decode(video=0))
        untagged.colorspace, untagged.color_range = 2, 0
        from styleexport.runtime_bench.film.colours import rgb_of

        assert np.abs(rgb_of(untagged, 96, 64).astype(int) - frame.pixels).max() <= 1


def test_odd_sides_get_their_last_pixels_twice(tmp_path):
    frames = [corners(95, 63)] * 3
    source = write_clip(tmp_path / "a.mkv", frames, codec="ffv1", pixels="bgr0", sound=None)
    with FilmReader(source) as film:
        assert film.facts.size == Size(63, 95)
    copy(source, tmp_path / "b.mp4")
    assert frames_of(tmp_path / "b.mp4")[0].pixels.shape == (64, 96, 3)


def test_a_film_cut_off_is_read_to_its_end(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 64, 96, 3), np.uint8)
    whole = write_clip(tmp_path / "a.mp4", list(noise), container={"movflags": "+faststart"})
    data = whole.read_bytes()
    part = tmp_path / "part.mp4"
    part.write_bytes(data[: len(data) // 2])
    with FilmReader(part) as film:
        assert film.facts.frames == 60
        try:
            read = sum(isinstance(item, FilmFrame) for item in film)
            assert film.ends_early
        except BadImage as error:
            assert "is damaged" in str(error)
            read = round(film.end * 25)
    assert 10 < read < 50
    with FilmReader(whole) as film:
        list(film)
        assert not film.ends_early


def test_damaged_packets_are_left_out(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 64, 96, 3), np.uint8)
    path = write_clip(tmp_path / "a.mkv", list(noise), codec="mpeg4", sound=None)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(data)
    assert len(frames_of(path)) > 10


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "cannot be read"), (b"not a film at all" * 50, "cannot be read")],
    ids=["empty", "text"],
)
def test_what_is_no_film_is_refused(tmp_path, content, message):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(BadImage, match=message):
        FilmReader(path)


def test_a_missing_film_and_one_without_pictures_are_named(tmp_path):
    with pytest.raises(BadImage, match=r"film .*none.mp4 does not exist"):
        FilmReader(tmp_path / "none.mp4")
    import av

    from tests.clips import _tone

    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        _tone(film, film.add_stream("aac", rate=44100))
    with pytest.raises(BadImage, match="has no pictures"):
        FilmReader(tmp_path / "a.mp4")


def test_only_films_of_ours_are_replaced(tmp_path):
    source = write_clip(tmp_path / "a.mp4")
    for suffix in (".mp4", ".mov", ".mkv"):
        out = tmp_path / f"b{suffix}"
        copy(source, out)
        assert FILM.recognises(out)
        check_film_out(out, source)
    assert not FILM.recognises(source)
    with pytest.raises(UsageError, match="is not a film that styleexport wrote"):
        check_film_out(source, tmp_path / "other.mp4")
    with pytest.raises(UsageError, match="one of the inputs"):
        check_film_out(source, source)


def test_suffixes(tmp_path):
    assert is_film(tmp_path / "A.MOV")
    assert not is_film(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"expected one of .mp4, .m4v, .mov, .mkv.*a.mp4"):
        check_film_suffix(tmp_path / "a.webm")
