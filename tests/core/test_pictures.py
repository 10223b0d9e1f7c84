"""Crops keep the middle, a choice is spread evenly, and contact sheets have a place per picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from styleexport.core.contact_sheet import CAPTION_HEIGHT, contact_sheet, picture_grid
from styleexport.core.pictures import centre_crop, evenly_spread, pixel_sha256
from styleexport.core.types import Size


def flat(colour: str, size: tuple[int, int] = (40, 20)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_a_crop_is_the_middle_at_the_size_with_its_proportions():
    picture = flat("red", (90, 30))
    picture.paste("blue", (30, 0, 60, 30))
    crop = centre_crop(picture, Size(10, 10))
    assert crop.size == (10, 10)
    blue = np.array([0, 0, 255])
    assert abs(np.asarray(crop)[1:-1, 2:-2].astype(int) - blue).max() < 40
    assert centre_crop(picture, Size(5, 15)).size == (15, 5)


@pytest.mark.parametrize(
    ("count", "most", "chosen"),
    [(3, 5, [0, 1, 2]), (5, 5, [0, 1, 2, 3, 4]), (10, 4, [0, 2, 5, 7]), (0, 2, [])],
)
def test_a_choice_is_spread_evenly(count, most, chosen):
    assert evenly_spread(range(count), most) == chosen


def test_a_digest_sees_pixels_sizes_and_order():
    one, other = flat("red"), flat("blue")
    digests = {
        pixel_sha256(pictures)
        for pictures in ([one, other], [other, one], [one], [flat("red", (20, 40))])
    }
    assert len(digests) == 4
    assert pixel_sha256([one]) == pixel_sha256([flat("red")])


def test_a_grid_crops_to_squares_and_leaves_empty_places_white():
    sheet = picture_grid([[flat("red"), None], [None, flat("blue")]], cell=8)
    assert sheet.size == (16, 16)
    cells = [[sheet.getpixel((4 + 8 * x, 4 + 8 * y)) for x in (0, 1)] for y in (0, 1)]
    white = (255, 255, 255)
    assert cells == [[(255, 0, 0), white], [white, (0, 0, 255)]]


def test_captions_stand_above_the_columns():
    sheet = picture_grid([[flat("red")]], cell=64, captions=("content",))
    assert sheet.size == (64, CAPTION_HEIGHT + 64)
    assert np.asarray(sheet)[:CAPTION_HEIGHT].min() < 128
    assert (np.asarray(sheet)[CAPTION_HEIGHT:] == [255, 0, 0]).all()


def test_a_contact_sheet_has_styles_across_and_contents_down():
    sheet = contact_sheet([flat("red")], [flat("blue"), flat("lime")], [[flat("black")] * 2], 8)
    cells = [[sheet.getpixel((4 + 8 * x, 4 + 8 * y)) for x in (0, 1, 2)] for y in (0, 1)]
    assert cells == [
        [(255, 255, 255), (0, 0, 255), (0, 255, 0)],
        [(255, 0, 0), (0, 0, 0), (0, 0, 0)],
    ]
