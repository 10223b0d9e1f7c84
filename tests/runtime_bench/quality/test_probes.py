from __future__ import annotations

import numpy as np
import pytest

from styleexport.core.images import array_from_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.runtime_bench.quality.flicker import warping_error
from styleexport.runtime_bench.quality.probes import (
    moving_pictures,
    probe_pictures,
    quality_probes,
    style_pictures,
)

SIZE = Size(64, 96)
MOVING = 8


def frames(size):
    return [picture for picture, _ in moving_pictures(size)]


@pytest.mark.parametrize("size", [Size(16, 16), SIZE, Size(200, 96)])
def test_pictures_have_the_size_and_values_of_8_bits(size):
    for picture in (*probe_pictures(size), *style_pictures(size), *frames(size)):
        assert picture.array.shape == (1, 3, size.height, size.width), picture.name
        assert picture.array.dtype == np.float32
        assert picture.array.flags.c_contiguous
        steps = picture.array * 255
        assert np.abs(steps - steps.round()).max() < 1e-4
        assert 0 <= picture.array.min() < picture.array.max() <= 1


def test_pictures_are_the_same_every_time():
    for one, other in zip(probe_pictures(SIZE), probe_pictures(SIZE), strict=True):
        assert np.array_equal(one.array, other.array)


def test_every_kind_is_there_under_its_own_name():
    pictures = probe_pictures(SIZE)
    assert [picture.kind for picture in pictures] == [
        *["photograph"] * 4,
        "gradient",
        "gradient",
        "text",
        "colours",
    ]
    assert len({picture.name for picture in pictures}) == 8


def test_no_probe_is_a_picture_that_ranges_were_taken_from():
    seen = [
        array_from_image(centre_crop(image, SIZE))
        for image in (*read_calibration(None).content, *read_calibration(None).style)
    ]
    for picture in (*probe_pictures(SIZE), *style_pictures(SIZE), *frames(SIZE)):
        assert min(np.abs(picture.array - other).mean() for other in seen) > 0.04, picture.name


def test_motions_share_their_first_frame_and_move_as_they_say():
    moving = moving_pictures(SIZE)
    assert len(moving) == MOVING
    assert moving[0][1] is None
    names = [moved.motion for _, moved in moving[1:]]
    assert names == [*["pan"] * 3, "zoom", "turn", "noise", "exposure"]
    errors = {"pan": 1e-6, "zoom": 0.01, "turn": 0.01, "noise": 0.012, "exposure": 0.06}
    for picture, moved in moving[1:]:
        before = moving[moved.before][0].array
        error = warping_error(before, picture.array, moved.step)
        assert error < errors[moved.motion], moved
        assert error < 0.7 * np.abs(before - picture.array).mean() or moved.motion in (
            "noise",
            "exposure",
        )


def test_gradients_have_the_grain_that_keeps_a_network_stable():
    sky = next(p.array for p in probe_pictures(SIZE) if p.name == "sky")
    flat = sky[0, :, :10, :20] * 255
    assert 2 < np.diff(flat, axis=2).std() / np.sqrt(2) < 6


def test_graphs_get_the_inputs_they_name():
    styles = style_pictures(SIZE)
    probes = quality_probes(SIZE, ("content", "style_code", "strength"), lambda s: s.mean((2, 3)))
    assert len(probes) == 16 + MOVING
    first = probes[0]
    assert list(first.inputs) == ["content", "style_code", "strength"]
    assert first.inputs["style_code"].shape == (1, 3)
    assert first.inputs["strength"] == 1.0
    assert np.array_equal(first.style, styles[0].array)
    assert (first.name, probes[1].name) == ("city, glass", "city, ink")
    assert all(probe.style is first.style for probe in probes if probe.kind == "motion")


def test_a_network_with_one_style_gets_each_content_once():
    probes = quality_probes(SIZE, ("content",))
    assert len(probes) == 8 + MOVING
    assert all(set(probe.inputs) == {"content"} and probe.style is None for probe in probes)


def test_an_encoder_gets_pictures_as_styles():
    probes = quality_probes(SIZE, ("style",))
    assert len(probes) == 10
    assert all(set(p.inputs) == {"style"} and p.content is None for p in probes)
