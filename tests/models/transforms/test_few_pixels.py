"""wct and optimal transport where pixels are fewer than channels, and of one colour."""

from __future__ import annotations

import pytest
import torch

from styleexport.core.psnr import psnr_db
from styleexport.models.transforms import optimal, ridged_wct, wct

ONE = torch.ones(1)


def features(channels: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Features with a covariance of condition 100, and means."""
    generator = torch.Generator().manual_seed(seed)
    mix, _ = torch.linalg.qr(torch.randn(channels, channels, generator=generator))
    x = torch.randn(1, channels, height, width, generator=generator)
    x = torch.einsum("ab,nbhw->nahw", mix * torch.logspace(0, -1, channels), x)
    return x + 3 * torch.randn(1, channels, 1, 1, generator=generator)


def expected_of(content: torch.Tensor, style: torch.Tensor, kind: str) -> torch.Tensor:
    """The map by eigenvalues in float64: wct without null directions, optimal in the limit."""
    x, y = (each.double().flatten(2)[0] for each in (content, style))
    means = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    x, y = x - means[0], y - means[1]
    source, target = (z @ z.T / max(z.shape[1] - 1, 1) for z in (x, y))
    root = power(target, 0.5)
    if kind == "wct":
        matrix = root @ power(source, -0.5)
    else:
        matrix = root @ power(root @ source @ root, -0.5) @ root
    return (matrix @ x + means[1]).reshape(content.shape)


def power(matrix: torch.Tensor, exponent: float) -> torch.Tensor:
    left, values, _ = torch.linalg.svd(matrix)
    kept = values > 1e-11 * values[0]
    return left[:, kept] * values[kept] ** exponent @ left[:, kept].T


def decibels(made: torch.Tensor, expected: torch.Tensor) -> float:
    return psnr_db(made.numpy(), expected.numpy(), float(expected.std()))


@pytest.mark.parametrize("size", [(1, 2), (2, 2), (3, 5), (6, 7)])
@pytest.mark.parametrize(("kind", "transform"), [("wct", wct), ("optimal", optimal)])
def test_fewer_pixels_than_channels(kind, transform, size):
    content, style = features(64, *size), features(64, 12, 12, 1)
    made = transform.apply(content, wct.style_code(style), ONE)
    expected = expected_of(content, style, kind)
    assert decibels(made, expected) > 60


@pytest.mark.parametrize(("kind", "transform"), [("wct", wct), ("optimal", optimal)])
def test_a_style_of_fewer_pixels_than_channels(kind, transform):
    content, style = features(64, 20, 20), features(64, 4, 4, 1)
    made = transform.apply(content, wct.style_code(style), ONE)
    assert decibels(made, expected_of(content, style, kind)) > 60


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (20, 20)])
def test_root_and_whitened_make_the_features_again(size):
    x = features(64, *size).flatten(2)
    centred = x - x.mean(2, keepdim=True)
    root, white = wct.root_and_whitened(centred, wct.STYLE_ITERATIONS)
    assert decibels(root @ white, centred) > 60


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (20, 20)])
@pytest.mark.parametrize("module", [wct, optimal, ridged_wct])
def test_one_colour_becomes_the_mean_of_the_style(module, size):
    """All pixels alike, as content, as style and as both."""
    code_of = module.style_code if module is ridged_wct else wct.style_code
    flat, style = features(16, 1, 1).expand(1, 16, *size).contiguous(), features(16, 12, 12, 1)
    made = module.apply(flat, code_of(style), ONE)
    mean = style.mean((2, 3), keepdim=True)
    assert float((made - mean).abs().max()) < 0.02 * float(style.std())
    code = code_of(flat)
    assert bool(torch.isfinite(code).all())
    for content in (flat, style):
        assert bool(torch.isfinite(module.apply(content, code, ONE)).all())
    if module is not ridged_wct:
        made = module.apply(style, code, ONE)
        assert float((made - flat[:, :, :1, :1]).abs().max()) < 0.02
