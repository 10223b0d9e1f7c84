"""Clips with known motion, and the error that motion leaves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from styleexport.core.assets import folder
from styleexport.core.images import read_image
from styleexport.core.types import Size
from styleexport.runtime_bench.quality.flicker import warping_error
from styleexport.runtime_bench.quality.motion import MOTIONS, Clip, Motion, swing

SIZE = Size(64, 96)


def photograph(name="hills"):
    return read_image(folder() / f"content_{name}.jpg")


def test_a_motion_goes_there_and_back():
    assert [swing(frame, 3) for frame in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]


@pytest.mark.parametrize(
    "motion",
    [Motion("pan", shift=2), Motion("zoom", zoom=0.02), Motion("turn", turn=2)],
    ids=lambda m: m.name,
)
def test_what_moves_is_found_where_the_motion_says(motion):
    clip = Clip.of(motion, photograph(), SIZE, 6, 3)
    for number, (before, after) in enumerate(itertools.pairwise(clip)):
        error = clip.error(number, before, after)
        assert error < 0.012
        assert error < 0.4 * np.abs(before - after).mean()
        # The other way round it is not found.
        assert warping_error(after, before, clip.step(number)) > 2 * error


def test_a_pan_by_whole_pixels_is_exact():
    clip = Clip.of(Motion("pan", shift=2), photograph(), SIZE, 2, 1)
    before, after = clip
    assert np.array_equal(before[..., 2:], after[..., :-2])
    assert clip.error(0, before, after) < 1e-6


def test_noise_and_exposure_are_what_is_left():
    noise = Clip.of(Motion("noise", noise=4), photograph(), SIZE, 3, 1)
    _, one, other = noise
    # Of a difference of two normal values.
    assert noise.error(1, one, other) == pytest.approx(4 / 255 * 2 / np.sqrt(np.pi), rel=0.1)
    exposure = Clip.of(Motion("exposure", exposure=1.2), photograph(), SIZE, 2, 1)
    dark, light = exposure
    inner = (dark > 0.1) & (light < 0.98)
    assert (light / dark)[inner].mean() == pytest.approx(1.2 ** (1 / 2.2), rel=0.01)


def test_paintings_that_are_larger_move_further():
    clip = Clip.of(Motion("pan", shift=2), photograph(), SIZE, 2, 1)
    twice = [frame.repeat(2, 2).repeat(2, 3) for frame in clip]
    assert clip.error(0, *twice) < 1e-6


def test_what_passes_in_front_does_not_count():
    clip = Clip.of(Motion("passing", passing=30), photograph(), SIZE, 8, 8, photograph("fruit"))
    frames = list(clip)
    assert max(clip.error(n, *pair) for n, pair in enumerate(itertools.pairwise(frames))) < 1e-9
    assert np.abs(frames[1] - frames[3]).mean() > 0.05
    assert all(clip.behind(number).mean() > 0.3 for number in range(8))
    assert not clip.behind(3).all()


def test_frames_with_nothing_in_common_are_refused():
    frame = next(iter(Clip.of(MOTIONS[0], photograph(), SIZE, 1, 1)))
    far = np.array([[1, 0, 500], [0, 1, 0], [0, 0, 1.0]])
    with pytest.raises(ValueError, match="nothing in common"):
        warping_error(frame, frame, far)
