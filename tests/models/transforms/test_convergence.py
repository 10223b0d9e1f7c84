"""Numbers of iterations: enough for every picture, no more than needed, finite where none is."""

from __future__ import annotations

import pytest
import torch

from styleexport.models.networks import optimal_wct, wct
from styleexport.models.transforms import convergence, optimal
from styleexport.models.transforms import wct as whitening
from styleexport.models.transforms.convergence import ENOUGH, Covariances, settled
from tests.models.transforms.test_newton_schulz import positive


def pair(condition, seed=0):
    return Covariances(positive(24, condition, seed).float(), positive(24, 30, seed + 1).float())


def test_a_worse_condition_takes_more_steps():
    found = [
        settled([pair(c)], whitening.matrix, whitening.exact_matrix, has_factor=False)
        for c in (10, 1e4)
    ]
    easy, hard = (item.steps.content for item in found)
    assert easy == min(convergence.CONTENT_STEPS) + convergence.CONTENT_MARGIN < hard
    assert min(item.content_db for item in found) >= ENOUGH - 1
    assert {item.steps.factor for item in found} == {0}


def test_the_worst_picture_decides():
    pairs = [pair(10), pair(1e4, 2), pair(100, 4)]
    found = settled(pairs, whitening.matrix, whitening.exact_matrix, has_factor=False)
    alone = settled([pairs[1]], whitening.matrix, whitening.exact_matrix, has_factor=False)
    assert found.steps.content == alone.steps.content > 2 + min(convergence.CONTENT_STEPS)


def test_an_orthogonal_factor_has_steps_of_its_own():
    found = settled([pair(1e3)], optimal.matrix, optimal.exact_matrix, has_factor=True)
    assert found.steps.factor - 1 in convergence.FACTOR_STEPS
    assert found.content_db > 80


def test_fewer_pixels_than_channels_and_flat_pictures_are_finite():
    rows = torch.randn(1, 24, 8, generator=torch.Generator().manual_seed(0))
    few = rows @ rows.transpose(1, 2) / 7
    flat = torch.zeros(1, 24, 24)
    found = settled(
        [Covariances(few, few), Covariances(flat, flat)],
        whitening.matrix,
        whitening.exact_matrix,
        has_factor=False,
    )
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
