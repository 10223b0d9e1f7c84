"""Roots by matrix products against eigendecompositions in float64."""

from __future__ import annotations

import pytest
import torch

from styleexport.models.transforms import wct
from styleexport.models.transforms.newton_schulz import FLOOR, covariance, orthogonal_factor, roots


def positive(size: int, condition: float, seed: int = 0) -> torch.Tensor:
    """A covariance in float64 whose eigenvalues fall evenly, by ratio, to 1/condition."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator).double())
    values = torch.logspace(0, -torch.tensor(condition).log10().item(), size).double()
    return ((basis * values) @ basis.T)[None]


def by_eigenvalues(matrix: torch.Tensor, ridge: float) -> tuple[torch.Tensor, torch.Tensor]:
    values, vectors = torch.linalg.eigh(matrix.double())
    values = values + ridge * values.mean(1, keepdim=True) + FLOOR
    return tuple((vectors * values[:, None, :] ** power) @ vectors.mT for power in (0.5, -0.5))  # pyright: ignore


def by_singular_values(matrix: torch.Tensor) -> torch.Tensor:
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    kept = values > 1e-12 * values[:, :1]  # a direction that is not there has no counterpart
    return left * kept[:, None, :] @ right


def error(computed: torch.Tensor, expected: torch.Tensor) -> float:
    return float((computed - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("condition", "iterations", "most"),
    [(10, 9, 1e-12), (1e2, 12, 1e-12), (1e4, 17, 1e-12), (1e6, 22, 1e-10), (1e4, 6, None)],
)
def test_the_roots_of_a_covariance(condition, iterations, most):
    matrix = positive(32, condition)
    computed = roots(matrix, ridge=0.0, iterations=iterations)
    errors = [error(*pair) for pair in zip(computed, by_eigenvalues(matrix, 0.0), strict=True)]
    if most is None:
        assert errors[1] > 0.1  # too few steps for this condition
    else:
        assert max(errors) < most


def test_float32_is_enough_with_the_default_ridge():
    matrix = positive(64, 1e4)
    root, inverse = roots(matrix.float())
    expected = by_eigenvalues(matrix, 1e-6)
    assert error(root.double(), expected[0]) < 1e-5
    assert error(inverse.double(), expected[1]) < 1e-3


def test_directions_without_variance_and_flat_pictures_stay_finite():
    flat = torch.zeros(1, 16, 48)
    few = torch.randn(1, 16, 4)  # fewer pixels than channels
    for features in (flat, few - few.mean(2, keepdim=True)):
        root, inverse = roots(covariance(features))
        assert bool(torch.isfinite(root).all() & torch.isfinite(inverse).all())
        assert float(torch.matmul(inverse, features).abs().max()) < 10


def features(seed: int, channels: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator).double()
    pixels = torch.randn(1, channels, 9 * 11, generator=generator).double()
    return (mixing @ pixels + torch.arange(channels)[:, None]).reshape(1, channels, 9, 11)


def test_features_take_the_mean_and_covariance_of_the_style():
    content, style, one = features(0), features(1), torch.ones(1).double()
    result = wct.apply(content, wct.style_code(style), one).flatten(2)
    mean = style.flatten(2).mean(2, keepdim=True)
    assert torch.allclose(result.mean(2, keepdim=True), mean, atol=1e-9)
    expected = torch.cov(style[0].flatten(1))
    assert torch.allclose(torch.cov(result[0]), expected, atol=1e-3 * float(expected.abs().max()))


def test_it_is_linear_in_the_code_and_in_the_strength():
    content, one = features(0), torch.ones(1).double()
    codes = [wct.style_code(features(seed)) for seed in (1, 2)]
    apart = [wct.apply(content, code, one) for code in codes]
    blended = wct.apply(content, 0.3 * codes[0] + 0.7 * codes[1], one)
    assert torch.allclose(blended, 0.3 * apart[0] + 0.7 * apart[1], atol=1e-9)
    half = wct.apply(content, codes[0], one / 2)
    assert torch.allclose(half, (content + apart[0]) / 2, atol=1e-9)
    assert torch.allclose(wct.apply(content, codes[0], 0 * one), content, atol=1e-12)


@pytest.mark.parametrize(("condition", "most"), [(10, 1e-11), (1e4, 1e-11), (1e6, 0.2)])
def test_the_orthogonal_factor_of_a_product_of_roots(condition, most):
    matrix = positive(32, condition) @ positive(32, 1, seed=1)
    assert error(orthogonal_factor(matrix), by_singular_values(matrix)) < most


def test_an_orthogonal_factor_of_nothing_is_finite():
    assert bool(torch.isfinite(orthogonal_factor(torch.zeros(1, 8, 8))).all())
