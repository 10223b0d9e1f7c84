from __future__ import annotations

import numpy as np
import pytest
import torch

from styleexport.core.errors import BadCheckpoint
from styleexport.models.encoders import vgg16
from styleexport.models.losses.loss_network import (
    LPIPS_WIDTHS,
    read_lpips,
    shipped_loss_network,
    vgg16_loss_network,
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(vgg16.build(("relu5_3",)).state_dict(), path)
    return path


def test_the_shipped_loss_network_is_named_and_needs_no_file():
    network = shipped_loss_network()
    assert network.name == "adain-lite encoder"
    levels = network(torch.rand(1, 3, 32, 48))
    assert tuple(level.shape[1] for level in levels) == network.widths == (16, 32, 64, 128)
    assert not any(level.requires_grad for level in levels)


def test_vgg16_taps_the_first_relu_of_four_blocks(backbone):
    network = vgg16_loss_network(backbone)
    assert (network.name, network.widths) == ("vgg16", (64, 128, 256, 512))
    assert [level.shape[2] for level in network(torch.rand(1, 3, 32, 32))] == [32, 16, 8, 4]


def test_lpips_reads_its_heads(backbone, tmp_path):
    heads = {f"lin{i}": np.ones(c, np.float32) for i, c in enumerate(LPIPS_WIDTHS)}
    np.savez(tmp_path / "heads.npz", **heads)
    lpips = read_lpips(backbone, tmp_path / "heads.npz")
    image = lpips.describe(torch.rand(1, 3, 32, 32))
    assert float(lpips.distance(image, image)) == 0.0


@pytest.mark.parametrize("change", [{"lin3": np.ones(7, np.float32)}, {"lin4": None}])
def test_other_heads_are_refused(backbone, tmp_path, change):
    heads = {f"lin{i}": np.ones(c, np.float32) for i, c in enumerate(LPIPS_WIDTHS)} | change
    path = tmp_path / "heads.npz"
    np.savez(path, **{name: value for name, value in heads.items() if value is not None})
    (name,) = change
    with pytest.raises(BadCheckpoint, match=f"has no {name} of 512 values, it holds lin0, lin1"):
        read_lpips(backbone, path)
