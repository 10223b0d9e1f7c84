"""Pictures of one colour as content and as style, through files of networks of second order."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from styleexport.core.images import array_from_image
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer
from tests.zoo import RANDOM_SIZE, case

NAMES = ("wct", "optimal-wct", "linear-wct", "style-swap", "photo-wct")
SIZE = (RANDOM_SIZE.width, RANDOM_SIZE.height)


def noise() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (SIZE[1] // 4, SIZE[0] // 4, 3))
    return Image.fromarray(values.astype(np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", [case(name, slow=False) for name in NAMES])
def test_no_covariance_is_no_division_by_zero(name, zoo):
    grey, black = (Image.new("RGB", SIZE, colour) for colour in ((90, 128, 160), (0, 0, 0)))
    with Stylizer(zoo.exported(name, "onnx"), RunOptions(1)) as stylizer:
        for content, style in ((grey, noise()), (noise(), grey), (grey, black), (black, black)):
            code = stylizer.encode(style)
            assert np.isfinite(code).all()
            painted = array_from_image(stylizer.stylize(content, code, StylizeOptions(1.0)))
            inside = painted[:, :, 12:-12, 12:-12]
            if content is not grey or name == "style-swap":  # a patch is a patch of the style
                continue
            assert float(inside.std(axis=(2, 3)).max()) < 0.01  # the style's mean, everywhere
