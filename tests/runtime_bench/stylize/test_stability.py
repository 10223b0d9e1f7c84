"""Frames painted by statistics that are smoothed over time."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from styleexport.core.assets import folder
from styleexport.core.errors import UsageError
from styleexport.core.images import image_from_array, read_image
from styleexport.core.types import Precision, Size
from styleexport.runtime_bench.quality.motion import Clip, Motion
from styleexport.runtime_bench.stylize.film_painter import SingleFramePainter, StableFramePainter
from styleexport.runtime_bench.stylize.stability import LONGEST_S, SmoothedStatistics, weight
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

OPTIONS = StylizeOptions()


@pytest.fixture(scope="module")
def stylizer(zoo):
    with Stylizer(zoo.in_tiles("adain-lite", "onnx", Precision.FP32, Precision.INT8)) as opened:
        yield opened


@pytest.fixture(scope="module")
def code(stylizer):
    return stylizer.packed("udnie")


def photograph(name: str) -> Image.Image:
    return read_image(folder() / f"content_{name}.jpg")


def clip(name: str, motion: Motion, front: str | None = None, side: int = 128) -> list[Image.Image]:
    passing = None if front is None else photograph(front)
    made = Clip.of(motion, photograph(name), Size(side, side), 6, 6, passing)
    return [image_from_array(frame) for frame in made]


def difference(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32)).mean())


def painted(painter, frames):
    return [painter(frame, number / 25) for number, frame in enumerate(frames)]


def test_weights_follow_the_time_and_not_the_frames():
    assert weight(0.04, 0.0) == weight(float("inf"), 0.5) == 1.0
    assert weight(0.0, 0.5) == 0.0
    once, twice = weight(0.08, 0.5), weight(0.04, 0.5)
    assert 1 - once == pytest.approx((1 - twice) ** 2)


@pytest.mark.parametrize("size", [(128, 128), (90, 70), (300, 201)], ids=str)
def test_a_stability_of_0_paints_each_frame_by_itself(stylizer, code, size):
    photo = photograph("lake").resize(size)
    painter = StableFramePainter(stylizer, code, OPTIONS, 0.0)
    painter(photograph("lake").rotate(3).resize(size), 0.0)
    again = painter(photo, 0.04)
    alone = StableFramePainter(stylizer, code, OPTIONS, 1.0)(photo, 0.0)
    assert again.size == alone.size == size
    assert difference(again, alone) == 0
    if max(size) <= 128:
        assert difference(again, SingleFramePainter(stylizer, code, OPTIONS)(photo, 0.0)) < 0.01


def test_what_stands_still_stays_where_something_passes(stylizer, code):
    frames = clip("hills", Motion("passing", passing=6), "fruit")
    behind = slice(0, 8)
    flickers = []
    for stability in (0.0, 0.5, 1.0):
        made = painted(StableFramePainter(stylizer, code, OPTIONS, stability), frames)
        strips = [np.asarray(image, np.float32)[behind] for image in made]
        flickers.append(np.abs(np.diff(strips, axis=0)).mean())
    assert flickers[1] < 0.85 * flickers[0]
    assert flickers[2] < flickers[1]


def test_a_cut_is_painted_as_if_the_film_began(stylizer, code):
    first, second = clip("lake", Motion("pan", shift=2)), clip("city", Motion("turn", turn=1))
    painter = StableFramePainter(stylizer, code, OPTIONS, 1.0)
    film = painted(painter, [*first, *second])
    assert painter.smoothed.cuts == 1
    alone = painted(StableFramePainter(stylizer, code, OPTIONS, 1.0), second)
    assert max(difference(*pair) for pair in zip(film[6:], alone, strict=True)) < 0.02
    # Smoothing reaches frames that are not at a cut.
    own = painted(StableFramePainter(stylizer, code, OPTIONS, 0.0), second)
    assert difference(own[5], alone[5]) > 0.05


def test_motion_noise_and_light_are_no_cuts(stylizer, code):
    for motion in (
        Motion("pan", shift=4),
        Motion("zoom", zoom=0.04),
        Motion("turn", turn=3),
        Motion("noise", noise=3),
        Motion("exposure", exposure=1.05),
    ):
        painter = StableFramePainter(stylizer, code, OPTIONS, 0.5)
        painted(painter, clip("forest", motion)[1:])
        assert painter.smoothed.cuts == 0, motion


def test_tiles_of_a_large_frame_share_the_smoothed_statistics(stylizer, code):
    frames = clip("hills", Motion("pan", shift=2), side=200)
    large = StableFramePainter(stylizer, code, OPTIONS, 1.0)
    made = painted(large, frames[:3])
    assert made[0].size == (200, 200)
    assert large.smoothed.cuts == 0
    assert difference(made[2], painted(large, frames[2:3])[0]) < difference(made[0], made[2])


def test_sessions_stay_open_from_frame_to_frame(stylizer, code):
    painter = StableFramePainter(stylizer, code, OPTIONS, 0.5)
    painted(painter, clip("lake", Motion("pan", shift=2))[:2])
    held = dict(stylizer._sessions)
    painted(painter, clip("lake", Motion("pan", shift=2))[:2])
    assert stylizer._sessions == held


@pytest.mark.parametrize("stability", [-0.1, 1.1, float("nan")])
def test_a_stability_out_of_range_is_refused(stability):
    with pytest.raises(UsageError, match="type --stability 0 to --stability 1"):
        SmoothedStatistics((), stability)


def test_the_longest_average_is_the_documented_one():
    assert LONGEST_S == 1.0
