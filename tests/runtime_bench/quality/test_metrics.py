from __future__ import annotations

import math

import numpy as np
import pytest

from styleexport.core.psnr import EQUAL_DB, pooled_psnr, psnr_db
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.quality.fidelity import relative_squared_error, ssim
from styleexport.runtime_bench.quality.flicker import (
    MIN_FLICKER,
    flicker_change,
    translation,
    warping_error,
)
from styleexport.runtime_bench.quality.style import StyleFeatures


def picture(seed: int = 0, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 3, size, size), dtype=np.float32)


def test_errors_are_shares_of_the_squared_peak():
    zeros = np.zeros((1, 3, 8, 8), np.float32)
    assert relative_squared_error(zeros + np.float32(0.1), zeros) == pytest.approx(0.01)
    code = np.array([[4.0, -2.0]], np.float32)
    error = relative_squared_error(code + np.float32(0.04), code)
    assert pooled_psnr([error]) == pytest.approx(psnr_db(code + np.float32(0.04), code))
    assert relative_squared_error(zeros + np.nan, zeros) == math.inf


def test_psnr_pools_the_error_and_not_the_decibels():
    assert pooled_psnr([0.0, 0.02]) == pytest.approx(20.0)
    assert pooled_psnr([1e-4, 1e-2]) == pytest.approx(-10 * math.log10(0.00505))
    assert pooled_psnr([0.0]) == EQUAL_DB
    assert pooled_psnr([0.01, math.inf]) == 0.0


def test_ssim_is_the_textbooks():
    image = picture()
    assert ssim(image, image) == pytest.approx(1.0, abs=1e-5)
    # Of two flat pictures only the luminance term is left, with C1 = 0.01².
    grey, light = (np.full((1, 3, 24, 24), value, np.float32) for value in (0.4, 0.6))
    expected = (2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4)
    assert ssim(light, grey) == pytest.approx(expected, abs=1e-3)
    assert ssim(picture(1), image) < 0.2
    # As torchmetrics 1.9 computes it.
    generator = np.random.default_rng(0)
    source = generator.random((1, 3, 40, 52)).astype(np.float32)
    noise = generator.standard_normal(source.shape).astype(np.float32)
    noisy = (source + np.float32(0.1) * noise).clip(0, 1)
    assert ssim(noisy, source) == pytest.approx(0.9464437, abs=1e-6)


def test_flicker_is_what_a_pan_changes_besides_moving():
    wide, pan = picture(size=64), translation(2, 0)
    before, after = wide[..., :32], wide[..., 2:34]
    assert warping_error(before, after, pan) == pytest.approx(0, abs=1e-6)
    assert warping_error(after, before, pan) > 0.2
    brighter = after + np.float32(0.01)
    assert warping_error(before, brighter, pan) == pytest.approx(0.01, abs=1e-5)


def test_flicker_that_cannot_be_shown_is_no_measure():
    assert flicker_change(0.03, 0.02) == pytest.approx(0.5)
    assert flicker_change(MIN_FLICKER / 2, 0.0) == pytest.approx(0.5)


def test_style_distance_sees_statistics_and_not_places():
    network = shipped_loss_network()
    image = picture()
    own = StyleFeatures.of(image, network)
    moved = StyleFeatures.of(np.ascontiguousarray(image[:, :, ::-1]), network)
    dark = StyleFeatures.of(image * np.float32(0.5), network)
    assert max(own.distances(own, network)) < 1e-3
    for near, far in zip(moved.distances(own, network), dark.distances(own, network), strict=True):
        assert near < 0.3 * far
