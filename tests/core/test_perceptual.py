from __future__ import annotations

import pytest
import torch

from styleexport.core.colour_transfer import with_colours_of
from styleexport.core.perceptual import (
    Lpips,
    ScaledStyle,
    gain_beyond_colour,
    gains_beyond_colour,
    gram_distance,
    gram_matrices,
    reduced,
)


class Edges:
    """Loss network of two layers: the picture itself, and differences of neighbouring pixels."""

    name = "edges"
    widths = (3, 6)

    def __call__(self, image: torch.Tensor) -> list[torch.Tensor]:
        right = (image[..., :, 1:] - image[..., :, :-1])[..., 1:, :]
        down = (image[..., 1:, :] - image[..., :-1, :])[..., :, 1:]
        return [image, torch.cat([right, down], 1).abs()]


def test_gram_matrices_are_the_textbooks():
    features = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[3.0, 4.0], [2.0, 1.0]]]])
    (gram,) = gram_matrices([features])
    assert torch.equal(gram, torch.tensor([[[1.5, 3.0], [3.0, 7.5]]]))


def test_gram_distance_is_relative_and_a_mean_over_layers():
    layers = gram_matrices([torch.rand(1, 4, 5, 5), torch.rand(1, 6, 3, 3)])
    assert float(gram_distance(layers, layers)) < 1e-3
    doubled = (layers[0] * 2, layers[1])
    assert float(gram_distance(doubled, layers)) == pytest.approx(0.5, abs=1e-3)


def test_lpips_weighs_squared_differences_of_unit_features():
    heads = [torch.tensor([2.0, 0.5]).reshape(1, 2, 1, 1)]
    lpips = Lpips(lambda image: [image[:, :2]], heads)
    a = torch.tensor([3.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    b = torch.tensor([0.0, 7.0, 0.0]).reshape(1, 3, 1, 1)
    assert float(lpips.distance(lpips.describe(a), lpips.describe(b))) == pytest.approx(2.5)
    assert float(lpips.distance(lpips.describe(a), lpips.describe(5 * a))) == pytest.approx(0.0)


def test_gain_beyond_colour_is_the_share_saved_over_the_colour_moved_photograph():
    assert gain_beyond_colour(0.3, 0.4) == pytest.approx(0.25)
    assert gain_beyond_colour(0.5, 0.4) == pytest.approx(-0.25)
    assert gains_beyond_colour((0.1, 0.6), (0.2, 0.4)) == pytest.approx((0.5, -0.5))


def test_a_colour_filter_gains_nothing_the_photograph_less_and_the_style_all():
    torch.manual_seed(0)
    photo = 0.3 + 0.3 * reduced(torch.rand(1, 3, 128, 128), 4).repeat_interleave(2, 2)
    style = torch.rand(1, 3, 64, 64) * torch.tensor([0.9, 0.5, 0.2]).reshape(1, 3, 1, 1)
    target = ScaledStyle.of(style, Edges())
    moved = target.colour_distances(photo)
    assert target.scales == (1, 2, 4)

    filtered = with_colours_of(photo, style)
    assert max(gains_beyond_colour(target.distances(filtered), moved)) <= 0
    assert gains_beyond_colour(target.distances(0.8 * filtered + 0.1), moved)[0] < 0
    assert max(gains_beyond_colour(target.distances(photo), moved)) < 0
    assert min(gains_beyond_colour(target.distances(style), moved)) > 0.99


def test_scales_that_leave_too_few_pixels_are_dropped():
    assert ScaledStyle.of(torch.rand(1, 3, 40, 64), Edges()).scales == (1, 2)
    assert ScaledStyle.of(torch.rand(1, 3, 8, 8), Edges()).scales == (1,)
