from __future__ import annotations

import itertools

import numpy as np
import pytest

from styleexport.core.images import array_from_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.runtime_bench.quality.probes import (
    PAN_FRAMES,
    PAN_STEP,
    pan_pictures,
    probe_pictures,
    quality_probes,
    style_pictures,
)

SIZE = Size(64, 96)


@pytest.mark.parametrize("size", [Size(16, 16), SIZE, Size(200, 96)])
def test_pictures_have_the_size_and_values_of_8_bits(size):
    for picture in (*probe_pictures(size), *style_pictures(size), *pan_pictures(size)):
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
    for picture in (*probe_pictures(SIZE), *style_pictures(SIZE), *pan_pictures(SIZE)):
        assert min(np.abs(picture.array - other).mean() for other in seen) > 0.04, picture.name


def test_each_frame_shows_the_last_one_further_left():
    frames = pan_pictures(SIZE)
    assert len(frames) == PAN_FRAMES
    for before, after in itertools.pairwise(frames):
        assert np.array_equal(before.array[..., PAN_STEP:], after.array[..., :-PAN_STEP])


def test_gradients_have_the_grain_that_keeps_a_network_stable():
    sky = next(p.array for p in probe_pictures(SIZE) if p.name == "sky")
    flat = sky[0, :, :10, :20] * 255
    assert 2 < np.diff(flat, axis=2).std() / np.sqrt(2) < 6


def test_graphs_get_the_inputs_they_name():
    styles = style_pictures(SIZE)
    probes = quality_probes(SIZE, ("content", "style_code", "strength"), lambda s: s.mean((2, 3)))
    assert len(probes) == 16 + PAN_FRAMES
    first = probes[0]
    assert list(first.inputs) == ["content", "style_code", "strength"]
    assert first.inputs["style_code"].shape == (1, 3)
    assert first.inputs["strength"] == 1.0
    assert np.array_equal(first.style, styles[0].array)
    assert (first.name, probes[1].name) == ("city, glass", "city, ink")
    assert all(probe.style is first.style for probe in probes if probe.kind == "pan")


def test_a_network_with_one_style_gets_each_content_once():
    probes = quality_probes(SIZE, ("content",))
    assert len(probes) == 8 + PAN_FRAMES
    assert all(set(probe.inputs) == {"content"} and probe.style is None for probe in probes)


def test_an_encoder_gets_pictures_as_styles():
    probes = quality_probes(SIZE, ("style",))
    assert len(probes) == 10
    assert all(set(p.inputs) == {"style"} and p.content is None for p in probes)
