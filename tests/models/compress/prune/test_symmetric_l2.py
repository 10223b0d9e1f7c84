"""Symmetric pruning: layouts, ratios, which filters stay, and the figures that were published."""

from __future__ import annotations

import pytest
import torch

from styleexport.core.errors import UsageError
from styleexport.core.types import Role, Size
from styleexport.models.architecture import layers
from styleexport.models.compress.activation_hooks import macs_of
from styleexport.models.compress.cost import parameters_of
from styleexport.models.compress.prune.channels import dependencies_of
from styleexport.models.compress.prune.criteria import l2_norms
from styleexport.models.compress.prune.mirrors import MirroredLayer, mirrored_layers
from styleexport.models.compress.prune.symmetric_l2 import (
    ChannelRanking,
    PruneConfig,
    layout_of_ratio,
    parse_layout,
)
from styleexport.models.network import LoadedNetwork
from tests.conftest import load_random


def mirrors_of(loaded: LoadedNetwork) -> tuple[MirroredLayer, ...]:
    return mirrored_layers(loaded, dependencies_of(loaded))


def cut(loaded: LoadedNetwork, text: str) -> LoadedNetwork:
    ranking = ChannelRanking.of(loaded, PruneConfig())
    return ranking.cut(parse_layout(text, ranking.layers)).network


def test_the_published_layout_has_the_published_figures():
    slim = cut(load_random("adain-vgg19"), "published")
    assert slim.module.encoder.blocks == [[64, 64], [128, 128], [140, 153, 153, 153], [261]]
    back = [layer.out_channels for name, layer in layers(slim.module) if name.startswith("decoder")]
    assert back == [153, 153, 153, 140, 128, 128, 64, 64, 3]
    macs = sum(macs_of(slim, Role.STYLIZE, Size(512, 512)).values())
    assert round(macs / 1e9, 1) == 116.4
    assert round(parameters_of(slim) / 1e6, 2) == 2.79


def test_the_published_layout_leaves_out_the_layer_that_vgg16_lacks():
    mirrored = mirrors_of(load_random("adain-vgg16"))
    assert parse_layout("published", mirrored) == (64, 64, 128, 128, 140, 153, 153, 261)


@torch.no_grad()
def test_each_side_keeps_its_own_largest_filters():
    loaded = load_random("adain-cd16x")
    slim = cut(loaded, "3,16,16,32,32,64,64,64,64,100")
    before, after = dict(layers(loaded.module)), dict(layers(slim.module))
    norms = l2_norms(before["encoder.features.19"].weight)
    stay = sorted(norms.argsort(descending=True)[:100].tolist())
    kernel = before["encoder.features.19"].weight[stay]
    assert torch.equal(after["encoder.features.19"].weight, kernel)
    mouth = before["decoder.layers.0"].weight[:, stay]
    assert torch.equal(after["decoder.layers.0"].weight, mouth)

    inner = cut(loaded, "3,16,16,32,32,64,64,64,40,128")
    both = dict(layers(inner.module))
    for name in ("encoder.features.16", "decoder.layers.0"):
        norms = l2_norms(before[name].weight)
        stay = sorted(norms.argsort(descending=True)[:40].tolist())
        assert torch.equal(both[name].bias, before[name].bias[stay])
    assert (both["encoder.features.19"].in_channels, both["decoder.layers.3"].in_channels) == (
        40,
        40,
    )


def test_a_ratio_takes_from_the_later_blocks_alone():
    mirrored = mirrors_of(load_random("adain-cd16x"))
    assert layout_of_ratio(0.25, mirrored) == (16, 16, 32, 32, 48, 48, 48, 48, 96)
    with pytest.raises(UsageError, match=r"--ratio 0.999 empties conv3_1.* --ratio 0.984 or less"):
        layout_of_ratio(0.999, mirrored)
    wide = [MirroredLayer("conv4_1", "a", None, 512)]
    with pytest.raises(UsageError, match=r"empties conv4_1.* --ratio 0.998 or less"):
        layout_of_ratio(0.9999, wide)
    for wrong in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="type a share above 0 and below 1"):
            layout_of_ratio(wrong, mirrored)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("published", "conv1_1 has 16 channels, expected 1 to 16, got 64"),
        ("3,16", "expected 3 for the picture and 9 widths, got 3 and 1"),
        ("1,16,16,32,32,64,64,64,64,128", "got 1 and 9"),
        ("3,16,16,32,32,64,64,64,0,128", "conv3_4 has 64 channels, expected 1 to 64, got 0"),
        ("3,16,16,32,32,64,64,64,64,129", "conv4_1 has 128 channels, expected 1 to 128, got 129"),
        ("slim", "type published, or widths with commas: 3,16,16,32,32,64,64,64,64,128 is now"),
        ("3,-1", "type published, or widths"),
    ],
)
def test_layouts_that_do_not_fit(text, message):
    with pytest.raises(UsageError, match=message):
        parse_layout(text, mirrors_of(load_random("adain-cd16x")))


def test_a_network_without_a_mirror():
    with pytest.raises(UsageError, match=r"adain-lite has no decoder.* --mirror ENCODER_LAYER="):
        mirrors_of(load_random("adain-lite"))
