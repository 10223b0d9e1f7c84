from __future__ import annotations

import pytest
import torch

from styleexport.models.encoders import cd16x, vgg16, vgg19

# The positions of torchvision's convolutions in ``features``, to relu4_1.
TORCHVISION = {vgg16: (0, 2, 5, 7, 10, 12, 14, 17), vgg19: (0, 2, 5, 7, 10, 12, 14, 16, 19)}


@pytest.mark.parametrize("module", TORCHVISION)
def test_keys_are_torchvisions(module):
    encoder = module.build()
    assert encoder.conv_indices() == TORCHVISION[module]
    assert "features.0.weight" in encoder.state_dict()


def test_taps_come_in_the_order_asked_for():
    taps = vgg16.build(("relu1_2", "relu3_1", "relu2_1"))
    found = taps(torch.rand(1, 3, 33, 40))
    assert [tuple(f.shape) for f in found] == [(1, 64, 33, 40), (1, 256, 9, 10), (1, 128, 17, 20)]
    assert taps.widths == (64, 256, 128)


def test_nothing_is_built_past_the_last_tap():
    assert len(vgg16.build(("relu1_1",)).features) == 2


def test_an_unknown_tap_is_refused():
    with pytest.raises(ValueError, match=r"no such tap: \['relu9_1'\]"):
        vgg16.build(("relu9_1",))


@pytest.mark.parametrize("level", cd16x.LEVELS)
def test_every_level_of_the_compressed_encoder_builds(level):
    (features,) = cd16x.build(level)(torch.rand(1, 3, 32, 32))
    assert features.shape == (
        1,
        (24, 32, 64, 128, 128)[level - 1],
        32 >> (level - 1),
        32 >> (level - 1),
    )
