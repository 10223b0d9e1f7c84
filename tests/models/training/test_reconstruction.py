"""Trainings of decoders that reconstruct pictures, or the features that they are given."""

from __future__ import annotations

import pytest
import torch

from styleexport.core.errors import UsageError
from styleexport.models.networks import avatar_net, style_swap
from styleexport.models.networks._open import open_network
from styleexport.models.training.reconstruction import InverseObjective, ReconstructionObjective
from styleexport.models.training.run import train_network
from tests.models.training.test_encoder_training import plan


@pytest.mark.parametrize(
    ("objective", "network", "terms"),
    [
        (ReconstructionObjective, avatar_net, {"pixels", "features", "variation"}),
        (InverseObjective, style_swap, {"inverse", "variation"}),
    ],
)
def test_an_objective_has_its_terms_and_trains_the_decoder(
    objective, network, terms, place, tmp_path
):
    torch.manual_seed(0)
    module = network.build("cd16x", bank=8)
    judge = objective(module, plan(place, tmp_path))
    judge.open(0)
    losses = judge.terms(0)
    assert losses.keys() == terms == judge.scales().keys()
    assert all(float(loss) > 0 for name, loss in losses.items() if name != "variation")
    sum(losses.values()).backward()
    assert any(p.grad is not None for p in module.decoder.parameters())


def test_a_picture_that_is_reconstructed_has_no_loss(place, tmp_path):
    module = avatar_net.build(bank=8)
    module.reconstruct = lambda image: image
    judge = ReconstructionObjective(module, plan(place, tmp_path))
    judge.open(0)
    losses = judge.terms(0)
    assert float(losses["pixels"]) == 0 and float(losses["features"]) < 1e-5


def test_features_that_are_found_again_have_no_loss(place, tmp_path):
    module = style_swap.build("cd16x", bank=8)
    module.features = lambda image: torch.ones(len(image), 4, 2, 2)
    module.restyled = lambda content, code, strength: torch.ones(len(content), 4, 2, 2)
    module.decoder.forward = lambda features: features[:, :3]
    judge = InverseObjective(module, plan(place, tmp_path))
    judge.open(0)
    module.encode = lambda style: style
    assert float(judge.terms(0)["inverse"]) < 1e-3


def test_avatar_net_learns_to_reconstruct(place, tmp_path):
    given = plan(place, tmp_path / "run", steps=2, learning_rate=1e-3)
    result = train_network("avatar-net", given, train_encoder=True)
    assert result.losses.keys() == {"pixels", "features", "variation"}
    network = open_network("avatar-net", [result.weights])
    assert avatar_net.settings(network.module) == {"encoder": "cd16x", "bank": 32}


@pytest.mark.parametrize("objective", [ReconstructionObjective, InverseObjective])
def test_a_network_without_the_methods_is_refused(objective, place, tmp_path):
    module = open_network("adain-lite").module
    with pytest.raises(UsageError, match="has no method re"):
        objective(module, plan(place, tmp_path))
