"""Optimal transport of features against the published formula in float64."""

from __future__ import annotations

import torch

from styleexport.core.psnr import psnr_db
from styleexport.models.transforms import optimal, wct
from styleexport.models.transforms.newton_schulz import covariance
from tests.models.transforms.test_newton_schulz import by_eigenvalues


def features(seed: int, spread: float) -> torch.Tensor:
    """Features [1, 24, 16, 16] whose directions have deviations of 1 to 1/spread."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(24, 24, generator=generator))
    weights = basis * torch.logspace(0, -torch.tensor(spread).log10().item(), 24)
    maps = torch.relu(torch.einsum("ij,njhw->nihw", weights, torch.randn(1, 24, 16, 16)))
    return maps + torch.rand(1, 24, 1, 1, generator=generator)


def covariance_of(maps: torch.Tensor) -> torch.Tensor:
    flat = maps.flatten(2)
    return covariance(flat - flat.mean(2, keepdim=True))


def published(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Equation 10 with eigenvalues, and its cutoff in place of the ridge."""

    def parts(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = maps.double().flatten(2)
        return flat.mean(2, keepdim=True), flat - flat.mean(2, keepdim=True)

    (_, x), (mean, y) = parts(content), parts(style)
    root, inverse = by_eigenvalues(covariance(x), 1e-6)
    middle, _ = by_eigenvalues(root @ covariance(y) @ root, 0.0)
    return (inverse @ middle @ inverse @ x + mean).reshape(content.shape)


def test_the_transport_is_the_published_one():
    content, style = features(0, 30), features(1, 100)
    moved = optimal.apply(content, wct.style_code(style), torch.ones(1))
    expected = published(content, style)
    peak = float(expected.abs().max())
    assert psnr_db(moved.double().numpy(), expected.numpy(), peak) > 60


def test_it_gives_the_covariance_and_moves_features_less_than_whitening():
    content, style = features(0, 30), features(1, 30)
    code, one = wct.style_code(style), torch.ones(1)
    moved, whitened = optimal.apply(content, code, one), wct.apply(content, code, one)
    expected = covariance_of(style)
    for result in (moved, whitened):
        assert float((covariance_of(result) - expected).norm() / expected.norm()) < 1e-3
    assert float((moved - content).norm()) < float((whitened - content).norm())


def test_strength_0_is_the_content_and_a_constant_picture_takes_the_mean():
    content, style = features(0, 30), features(1, 30)
    code = wct.style_code(style)
    kept = optimal.apply(content, code, torch.zeros(1))
    torch.testing.assert_close(kept, content, rtol=1e-5, atol=1e-5)
    flat = optimal.apply(torch.full((1, 24, 8, 8), 0.3), code, torch.ones(1))
    expected = style.mean((2, 3), keepdim=True).expand_as(flat)
    torch.testing.assert_close(flat, expected, rtol=1e-4, atol=1e-4)
