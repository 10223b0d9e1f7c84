from __future__ import annotations

import pytest
import torch

from styleexport.core.perceptual import Lpips, gram_distance, gram_matrices


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
