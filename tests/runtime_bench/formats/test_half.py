"""Rounding to float16 in float32 arrays, against numpy's own conversion."""

from __future__ import annotations

import numpy as np

from styleexport.runtime_bench.formats._half import SMALLEST_NORMAL, round_sums, to_half

EDGES = (0.0, -0.0, 65504.0, 65519.99, 65520.0, -65535.9, 1e30, 2.0**-14, 2.0**-15, 1.0 + 2**-11)


def values(*others: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = rng.normal(size=20000) * 10 ** rng.uniform(-8, 6, 20000)
    return np.array([*spread, *EDGES, *others], np.float32)


def halved(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(np.float32)


def test_normal_numbers_are_rounded_as_numpy_rounds_them():
    x = values(np.inf, -np.inf, np.nan)
    normal = ~(np.abs(x) < SMALLEST_NORMAL)
    found = round_sums(x.copy())
    np.testing.assert_array_equal(found[normal], halved(x)[normal])


def test_smaller_numbers_are_flushed_to_zero():
    x = values()
    found = to_half(x)
    assert not (np.abs(found[found != 0]) < SMALLEST_NORMAL).any()
    assert (found[np.abs(x) < SMALLEST_NORMAL * (1 - 2**-12)] == 0).all()
    np.testing.assert_array_equal(x, values())


def test_numbers_that_fit_take_the_short_way():
    x = np.linspace(-60000, 60000, 5001, dtype=np.float32)
    np.testing.assert_array_equal(round_sums(x.copy()), halved(x))
