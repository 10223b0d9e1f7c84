"""The style decorator and the sandwich swap against float64 references of their publications."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from styleexport.core.psnr import psnr_db
from styleexport.models.transforms import adain, decorator, patch_match, sandwich
from tests.models.transforms.test_patch_match import features, published

HALF, ONE = torch.tensor([0.5]).double(), torch.ones(1).double()


def rooted(features: Tensor, power: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [C, 1], centred features [C, HW] and a power of their covariance, by eigenvectors."""
    flat = features[0].flatten(1)
    mean = flat.mean(1, keepdim=True)
    centred = flat - mean
    values, vectors = torch.linalg.eigh(centred @ centred.t() / (centred.shape[1] - 1))
    kept = values > 1e-5
    vectors = vectors[:, kept]
    return mean, centred, vectors * values[kept] ** power @ vectors.t()


def decorated(content: Tensor, style: Tensor, strength: float) -> Tensor:
    """Avatar-Net's decorator by eigenvectors and convolutions with patches, [1, C, H, W].

    The style's patches are zero-padded, the content is continued by reflection.
    """
    _, centred, whitening = rooted(content, -0.5)
    white = (whitening @ centred).reshape(content.shape)
    mean, centred, whitening = rooted(style, -0.5)
    bank = functional.pad((whitening @ centred).reshape(style.shape), (2,) * 4)
    patches = functional.unfold(bank, 5)[0].t().reshape(-1, style.shape[1], 5, 5)
    norms = patches.flatten(1).norm(dim=1)[:, None, None, None]
    scores = functional.conv2d(functional.pad(white, (2,) * 4, "reflect"), patches / norms)
    best = scores.argmax(1, keepdim=True)
    chosen = torch.zeros_like(scores).scatter_(1, best, 1)
    counts = functional.conv_transpose2d(torch.ones_like(best).double(), torch.ones(1, 1, 5, 5))
    painted = (functional.conv_transpose2d(chosen, patches) / counts)[:, :, 2:-2, 2:-2]
    mixed = (strength * painted + (1 - strength) * white)[0].flatten(1)
    _, _, colouring = rooted(style, 0.5)
    return (colouring @ mixed + mean).reshape(content.shape)


@pytest.fixture(autouse=True)
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_decorator_is_the_published_one(strength):
    content, style = features(13, 18), features(12, 12, seed=1)
    expected = decorated(content, style, strength)
    code = decorator.style_code(style)
    got = decorator.apply(content, code, torch.tensor([strength]), 12)
    assert psnr_db(got.numpy(), expected.numpy(), float(expected.abs().max())) > 90


def test_a_decorator_code_has_its_parts():
    shapes = decorator.code_parts(24, 12).values()
    length = sum(torch.Size(shape).numel() for shape in shapes)
    assert decorator.style_code(features(12, 12)).shape == (1, length)


def test_whitening_a_flat_map_is_no_nan():
    flat, style = torch.full((1, 24, 7, 9), 0.3), features(12, 12)
    got = decorator.apply(flat, decorator.style_code(style), ONE, 12)
    assert bool(torch.isfinite(got).all())
    got = decorator.apply(features(7, 9), decorator.style_code(flat[:, :, :7, :7]), ONE, 7)
    assert torch.allclose(got, flat[:, :, :1, :1], atol=1e-3)


def test_a_map_that_cannot_be_continued_is_refused():
    with pytest.raises(ValueError, match="features of 2x9 cannot be continued by 2 places"):
        decorator.apply(features(2, 9), decorator.style_code(features(12, 12)), ONE, 12)


def sandwiched(content: Tensor, texture: Tensor, colour: Tensor) -> Tensor:
    """AdaIN, style swap by convolutions, AdaIN."""

    def like(x: Tensor, style: Tensor) -> Tensor:
        _, deviation, centred = adain.statistics(x, unbiased=False)
        other_mean, other_deviation, _ = adain.statistics(style, unbiased=False)
        return centred / deviation * other_deviation + other_mean

    return like(published(like(content, texture), texture)[0], colour)


def test_the_sandwich_is_the_published_one():
    content, style = features(11, 17), features(9, 9, seed=1)
    code = sandwich.style_code(style)
    expected = sandwiched(content, style, style)
    assert torch.allclose(sandwich.apply(content, code, ONE, 9), expected, atol=1e-10)
    halfway = sandwich.apply(content, code, HALF, 9)
    assert torch.allclose(halfway, (expected + content) / 2, atol=1e-10)
    assert torch.equal(sandwich.apply(content, code, 0 * ONE, 9), content)


def test_texture_and_colour_come_of_two_styles():
    content, texture, colour = features(11, 17), features(9, 9, seed=1), 3 + features(9, 9, seed=2)
    codes = [sandwich.style_code(style) for style in (colour, texture)]
    code = torch.cat([codes[0][:, :48], codes[1][:, 48:]], 1)
    got = sandwich.apply(content, code, ONE, 9)
    assert torch.allclose(got, sandwiched(content, texture, colour), atol=1e-10)


def test_a_sandwich_code_has_its_parts():
    parts = sandwich.code_parts(24, 9)
    length = sum(torch.Size(shape).numel() for shape in parts.values())
    assert sandwich.style_code(features(9, 9)).shape == (1, length)
    assert next(iter(parts)) == "colour.mean" and "texture.bank" in parts


def test_patches_of_five_are_those_of_the_published_form():
    content, style = features(9, 14), features(8, 8, seed=1)
    patches = functional.unfold(style, 5)[0].t().reshape(-1, 24, 5, 5)
    norms = patches.flatten(1).norm(dim=1)[:, None, None, None]
    best = functional.conv2d(content, patches / (norms + 1e-8)).argmax(1)
    inverse = patch_match.inverse_norms(style, 5)[0]
    assert torch.equal(patch_match.nearest(content[0], style[0], inverse, 5), best.flatten())
