"""Patch matching against the published form: convolutions with the style's patches as weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from styleexport.models.transforms import patch_match

ONE = torch.ones(1).double()


def features(height: int, width: int, channels: int = 24, seed: int = 0) -> Tensor:
    """Features as behind a ReLU, [1, C, H, W], smooth enough for patches to resemble each other."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, channels, height + 2, width + 2, generator=generator).double()
    return functional.avg_pool2d(noise, 3, stride=1).relu()


def published(content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Features [1, C, H, W] and indices [P], by convolutions with patches and a one-hot map."""
    patches = functional.unfold(style, 3)[0].t().reshape(-1, style.shape[1], 3, 3)
    norms = patches.flatten(1).norm(dim=1)[:, None, None, None]
    scores = functional.conv2d(content, patches / (norms + 1e-8))
    best = scores.argmax(1, keepdim=True)
    chosen = torch.zeros_like(scores).scatter_(1, best, 1)
    painted = functional.conv_transpose2d(chosen, patches)
    counts = functional.conv_transpose2d(torch.ones_like(best).double(), torch.ones(1, 1, 3, 3))
    return painted / counts, best.flatten()


def indices(content: Tensor, style: Tensor) -> Tensor:
    side = style.shape[2]
    norms = patch_match.style_code(style)[0, -((side - 2) ** 2) :].reshape(side - 2, side - 2)
    return patch_match.nearest(content[0], style[0], norms)


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("size", "side"), [((19, 26), 12), ((3, 3), 12), ((4, 31), 5), ((9, 7), 3)]
)
def test_it_computes_what_the_paper_computes(size, side):
    content, style = features(*size), features(side, side, seed=1)
    expected, best = published(content, style)
    assert torch.equal(indices(content, style), best)
    swapped = patch_match.apply(content, patch_match.style_code(style), ONE, side)
    assert float((swapped - expected).abs().max()) < 1e-13 * float(expected.abs().max())


def test_float32_finds_the_same_patches():
    content, style = features(40, 52), features(32, 32, seed=1)
    expected, best = published(content, style)
    content, style = content.float(), style.float()
    assert torch.equal(indices(content, style), best)
    swapped = patch_match.apply(content, patch_match.style_code(style), ONE.float(), 32)
    assert float((swapped - expected).abs().max()) < 1e-6 * float(expected.abs().max())


def test_chunks_of_rows_change_nothing(monkeypatch):
    content, style = features(17, 9), features(8, 8, seed=1)
    code = patch_match.style_code(style)
    whole = patch_match.apply(content, code, ONE, 8)
    for rows in (1, 2, 7):
        limit = 4 * 9 * 64 * (rows + 2)
        monkeypatch.setattr(patch_match, "PRODUCT_BYTES", limit)
        assert torch.equal(patch_match.apply(content, code, ONE, 8), whole)
    monkeypatch.setattr(patch_match, "PRODUCT_BYTES", 1)  # a row is the least
    assert torch.equal(patch_match.apply(content, code, ONE, 8), whole)


def test_a_batch_takes_a_code_each():
    content = torch.cat([features(7, 9), features(7, 9, seed=3)])
    code = patch_match.style_code(torch.cat([features(6, 6, seed=s) for s in (1, 2)]))
    apart = [patch_match.apply(content[[n]], code[[n]], ONE, 6) for n in (0, 1)]
    assert torch.equal(patch_match.apply(content, code, ONE, 6), torch.cat(apart))


def test_a_style_in_its_own_style_stays_and_strength_blends_features():
    style = features(10, 10)
    code = patch_match.style_code(style)
    assert torch.allclose(patch_match.apply(style, code, ONE, 10), style, atol=1e-13)
    content = features(8, 11, seed=2)
    full = patch_match.apply(content, code, ONE, 10)
    assert torch.allclose(patch_match.apply(content, code, ONE / 2, 10), (content + full) / 2)
    assert torch.equal(patch_match.apply(content, code, 0 * ONE, 10), content)


def test_flat_pictures_stay_finite():
    flat = torch.zeros(1, 4, 6, 6)
    swapped = patch_match.apply(flat, patch_match.style_code(flat), ONE, 6)
    assert torch.equal(swapped, flat)


def test_a_code_has_the_declared_parts():
    code = patch_match.style_code(features(32, 32, channels=256))
    parts = patch_match.code_parts(256, 32)
    assert parts == {"bank": (256, 32, 32), "inverse_norms": (30, 30)}
    assert code.shape == (1, 256 * 32 * 32 + 30 * 30)


@pytest.mark.parametrize(
    ("size", "side", "message"),
    [
        ((2, 9), 6, "features of 2x9 hold no patch of 3x3"),
        ((9, 9), 8, "a bank of 8x8 with 24 channels has codes of 1572 values, got 880"),
    ],
)
def test_what_does_not_fit_is_refused(size, side, message):
    code = patch_match.style_code(features(6, 6))
    with pytest.raises(ValueError, match=message):
        patch_match.apply(features(*size), code, ONE, side)
