"""The pictures that calibration always sees."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.synthetic import SIDE, drawn_pictures


def digest() -> str:
    whole = b"".join(picture.tobytes() for picture in drawn_pictures())
    return hashlib.sha256(whole).hexdigest()


def test_they_are_always_the_same():
    np.random.seed(5)
    first = digest()
    np.random.seed(6)
    assert digest() == first
    pictures = drawn_pictures()
    assert len(pictures) == 6
    assert {(p.mode, p.size) for p in pictures} == {("RGB", (SIDE, SIDE))}


@pytest.mark.parametrize("index", range(6))
def test_each_reaches_the_ends_that_photographs_seldom_reach(index):
    values = np.asarray(drawn_pictures()[index])
    assert values.min() <= 10
    assert values.max() >= 245
    # None has areas of one value alone: norms would amplify their rounding.
    assert (np.diff(values.astype(int), axis=1) == 0).mean() < 0.4


def test_they_are_added_to_every_folder_and_counted_apart(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    for name in "ab":
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    found = read_calibration(tmp_path)
    assert (len(found.content), found.photographs) == (8, 2)
    assert found.content[2:] == drawn_pictures()
    assert found.fact(["content"]).images == 8
    (tmp_path / "b.png").unlink()
    assert read_calibration(tmp_path).sha256 != found.sha256
    assert read_calibration(None).photographs >= 8
