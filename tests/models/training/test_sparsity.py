"""Group lasso on channels: what shrinks, what stays, and that zeros are exact and pruned."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from styleexport.models.encoders._staged import FixedBatchNorm2d
from styleexport.models.networks._open import open_network
from styleexport.models.training.run import train_network
from styleexport.models.training.sparsity import channel_groups, shrink
from tests.models.training.test_encoder_training import plan


def net() -> nn.Sequential:
    torch.manual_seed(0)
    norm = FixedBatchNorm2d(8)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), norm, nn.Conv2d(8, 16, 1), nn.Conv2d(16, 3, 1)
    )


def test_groups_are_norms_and_convolutions_with_a_bias_that_are_trained():
    module = net()
    names = [name for name, _ in module.named_parameters()]
    assert [len(bias) for _, bias in channel_groups(module, names)] == [8, 16]
    assert [len(bias) for _, bias in channel_groups(module, ["2.weight", "2.bias"])] == [16]


def test_a_norm_shrinks_by_the_amount_and_ends_at_zero():
    weight, bias = torch.tensor([[3.0, 0.0], [0.1, 0.0]]), torch.tensor([4.0, 0.0])
    shrink([(weight, bias)], 0.5)
    by = 0.5 * 3**0.5  # of three values
    assert float(weight[0, 0]) == pytest.approx(3 * (1 - by / 5))
    assert float(bias[0]) == pytest.approx(4 * (1 - by / 5))
    assert weight[1].tolist() == [0.0, 0.0] and float(bias[1]) == 0


def test_channels_that_became_zero_are_zero_in_the_weights_of_a_training(place, tmp_path):
    given = plan(place, tmp_path / "run", steps=3, sparsity=200.0, learning_rate=1e-2)
    result = train_network("adain-mobilenetv2", given, backbone=place / "mobilenet.pth")
    module = open_network("adain-mobilenetv2", [result.weights]).module
    norm = module.encoder.features[1].conv[0][1]
    assert not norm.weight.any() and not norm.bias.any()
    last = [layer for layer in module.decoder.layers if isinstance(layer, nn.Conv2d)][-1]
    assert last.weight.any()
