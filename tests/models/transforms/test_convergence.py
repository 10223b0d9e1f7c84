"""Numbers of iterations: enough for every picture, no more than needed, finite where none is."""

from __future__ import annotations

import pytest
import torch

from styleexport.models.networks import optimal_wct, wct
from styleexport.models.transforms import convergence, optimal
from styleexport.models.transforms import wct as whitening
from styleexport.models.transforms.convergence import ENOUGH, SeenFeatures, settled
from tests.models.transforms.test_newton_schulz import positive


def maps(condition, seed=0, height=20):
    """Features [1, 24, height, 20] whose covariance has a condition."""
    root = torch.linalg.cholesky(positive(24, condition, seed)[0])
    noise = torch.randn(24, height * 20, generator=torch.Generator().manual_seed(seed)).double()
    return (root @ noise).reshape(1, 24, height, 20).float()


def pair(condition, seed=0, height=20):
    return SeenFeatures(maps(condition, seed, height), maps(30, seed + 1))


def test_a_worse_condition_takes_more_steps():
    found = [
        settled([pair(c)], whitening.apply, whitening.exact, has_factor=False) for c in (3, 1e4)
    ]
    easy, hard = (item.steps.content for item in found)
    assert easy == min(convergence.CONTENT_STEPS) + convergence.CONTENT_MARGIN < hard
    assert min(item.content_db for item in found) > ENOUGH - 5
    assert {item.steps.factor for item in found} == {0}


def test_the_worst_picture_decides():
    pairs = [pair(10), pair(1e4, 2), pair(100, 4)]
    found = settled(pairs, whitening.apply, whitening.exact, has_factor=False)
    alone = settled([pairs[1]], whitening.apply, whitening.exact, has_factor=False)
    easy = settled([pairs[0]], whitening.apply, whitening.exact, has_factor=False)
    assert found.steps.content == alone.steps.content > easy.steps.content


@pytest.mark.parametrize("height", [20, 1])
def test_an_orthogonal_factor_has_steps_of_its_own(height):
    seen = [pair(1e3, height=height)]
    found = settled(seen, optimal.apply, optimal.exact, has_factor=True)
    assert found.steps.factor in range(5, 13)
    assert found.content_db > 80


def test_fewer_pixels_than_channels_and_flat_pictures_are_finite():
    flat = SeenFeatures(torch.full((1, 24, 20, 20), 0.5), maps(10))
    for seen in ([pair(100, height=1)], [flat], [flat, pair(10)]):
        found = settled(seen, whitening.apply, whitening.exact, has_factor=False)
        assert found.steps.content in range(10, 27)


@pytest.mark.parametrize("network", [wct.NETWORK, optimal_wct.NETWORK])
def test_a_network_keeps_what_it_settled_on_and_says_it(network):
    torch.manual_seed(0)
    module = network.build("21").eval()
    pictures = [(torch.rand(1, 3, 40, 48), torch.rand(1, 3, 40, 48)) for _ in range(2)]
    with torch.inference_mode():
        facts = module.settle(pictures)
        again = network.build("21").eval()
        again.load_state_dict(module.state_dict())
        assert again.settle(pictures) == facts
    assert [fact.layer for fact in facts] == ["relu2_1", "relu1_1"]
    assert [(s.style, s.content, s.factor) for s in module.steps] == [
        (fact.style, fact.content, fact.factor) for fact in facts
    ]
    assert {fact.pictures for fact in facts} == {2}
