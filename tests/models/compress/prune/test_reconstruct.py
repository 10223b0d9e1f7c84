"""New kernels behind channels that went: what others say too is made good."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.types import Size
from styleexport.models.compress.prune.mirrors import LayerPair
from styleexport.models.compress.prune.reconstruct import (
    Calibration,
    input_windows,
    reconstruct_single_layer,
    reconstruct_weights,
)
from styleexport.models.compress.prune.symmetric_l2 import ChannelRanking, PruneConfig
from styleexport.models.compress.style_quality import StyleJudge, style_network
from tests.conftest import load_own
from tests.models.compress.own_networks import mirror_network

SIZE = Size(48, 40)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    found = []
    for index in range(6):
        small = np.random.default_rng(index).integers(0, 255, (9, 8, 3), np.uint8)
        found.append(Image.fromarray(small).resize((40, 48), Image.Resampling.BICUBIC))
    return found


class Redundant(nn.Module):
    """Channels 4 to 7 of ``a`` are sums of the first four: ``b`` can do without them."""

    def __init__(self, padding: str) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 5, 3, padding=1, padding_mode=padding)
        self.c = nn.Conv2d(5, 3, 1)
        with torch.no_grad():
            mix = 0.1 * torch.rand(4, 4)
            self.a.weight[4:] = torch.einsum("ij,jklm->iklm", mix, self.a.weight[:4])
            assert self.a.bias is not None
            self.a.bias[4:] = mix @ self.a.bias[:4]

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.c(F.relu(self.b(self.a(x)))))


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@torch.no_grad()
def test_what_others_say_too_is_made_good(pictures, padding):
    torch.manual_seed(0)
    loaded = load_own(Redundant(padding))
    ranking = ChannelRanking.of(loaded, PruneConfig((LayerPair("a"),)))
    cut = ranking.cut([4])
    assert cut.kept["b"].inputs == (0, 1, 2, 3)
    before = copy.deepcopy(cut.network.module.state_dict())
    fresh = reconstruct_weights(loaded, cut.network, cut.kept, Calibration.of(pictures, SIZE))
    image = torch.rand(1, 3, 32, 32)
    wanted = loaded.module(image)
    plain = float((cut.network.module(image) - wanted).abs().max())
    fitted = float((fresh.module(image) - wanted).abs().max())
    assert fitted < plain / 5
    assert all(torch.equal(x, before[key]) for key, x in cut.network.module.state_dict().items())
    assert not torch.equal(fresh.module.b.weight, cut.network.module.b.weight)
    assert torch.equal(fresh.module.a.weight, cut.network.module.a.weight)


def test_paintings_are_nearer_to_the_whole_network(pictures):
    loaded = mirror_network()
    pairs = (LayerPair("one", "untwo"), LayerPair("two", "undeep"), LayerPair("deep"))
    calibration = Calibration.of(pictures, SIZE)
    plain, fitted = PruneConfig(pairs), PruneConfig(pairs, calibration=calibration)
    ranking = ChannelRanking.of(loaded, plain)
    layout, said = (6, 9, 12), list[str]()
    judge = StyleJudge(loaded, pictures[:4], SIZE, style_network(None), 1)
    before = judge(ranking.prune(layout, said.append).network)
    assert said == []
    after = judge(replace(ranking, config=fitted).prune(layout, said.append).network)
    assert after.psnr_db > before.psnr_db + 3
    assert [line.split(":")[0] for line in said] == [
        "block.0",
        "two",
        "side",
        "deep",
        "undeep",
        "untwo",
        "unone",
    ]


@torch.no_grad()
def test_one_layer_alone_needs_no_run(pictures):
    loaded = mirror_network()
    ranking = ChannelRanking.of(loaded, PruneConfig((LayerPair("two", "undeep"),)))
    cut = ranking.cut([8])
    calibration = Calibration.of(pictures, SIZE)
    windows = input_windows(loaded, calibration)
    alone = reconstruct_single_layer(loaded, cut.network, cut.kept, windows).module
    full = reconstruct_weights(loaded, cut.network, cut.kept, calibration).module
    judge = StyleJudge(loaded, pictures[:3], SIZE, style_network(None), 1)
    plain = judge(cut.network).psnr_db
    for module in (alone, full):
        assert judge(load_own(module)).psnr_db > plain + 2
    assert torch.allclose(alone.untwo.weight, full.untwo.weight, atol=0.15)
    assert not torch.equal(alone.deep.weight, cut.network.module.deep.weight)


def test_dead_inputs_are_no_trouble(pictures):
    torch.manual_seed(0)
    module = Redundant("zeros")
    with torch.no_grad():
        module.a.weight.zero_()
        assert module.a.bias is not None
        module.a.bias.zero_()
    loaded = load_own(module)
    cut = ChannelRanking.of(loaded, PruneConfig((LayerPair("a"),))).cut([3])
    fresh = reconstruct_weights(loaded, cut.network, cut.kept, Calibration.of(pictures, SIZE))
    assert all(bool(torch.isfinite(x).all()) for x in fresh.module.state_dict().values())
