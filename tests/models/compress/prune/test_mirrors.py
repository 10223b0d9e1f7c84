"""Layers that a user pairs: through a residual sum, a depthwise block and a concatenation."""

from __future__ import annotations

import pytest
import torch

from styleexport.core.errors import UsageError
from styleexport.core.types import Role
from styleexport.models.architecture import layers, widths_of
from styleexport.models.compress.prune.criteria import l1_norms, l2_norms
from styleexport.models.compress.prune.mirrors import LayerPair
from styleexport.models.compress.prune.symmetric_l2 import (
    ChannelRanking,
    PruneConfig,
    layout_of_ratio,
    parse_layout,
)
from styleexport.models.network import LoadedNetwork
from tests.conftest import load_random
from tests.models.compress.own_networks import mirror_network


def ranking_of(
    *mirrors: str, loaded: LoadedNetwork | None = None, criterion: str = "l2"
) -> ChannelRanking:
    pairs = tuple(LayerPair.parse(text) for text in mirrors)
    return ChannelRanking.of(loaded or mirror_network(), PruneConfig(pairs, criterion))


def widths(network: LoadedNetwork) -> dict[str, tuple[int, int]]:
    found = {name: widths_of(layer) for name, layer in layers(network.module)}
    return {name: (width.inputs, width.outputs) for name, width in found.items()}


def runs(network: LoadedNetwork) -> torch.Tensor:
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return network.role_module(Role.STYLIZE)(image, image.flip(3), torch.ones(1))


def test_tied_layers_are_cut_with_all_that_is_joined_to_them():
    ranking = ranking_of("one=untwo", "two=undeep", "deep")
    assert ranking.widths == (8, 12, 16)
    cut = ranking.cut(parse_layout("3,5,9,10", ranking.layers))
    assert cut.removed == 2 * 3 + 2 * 3 + 6
    assert runs(cut.network).shape == (1, 3, 32, 32)
    assert widths(cut.network) == widths(ranking.network) | {
        "one": (3, 5),
        "block.0": (5, 6),
        "block.1": (6, 5),
        "two": (5, 9),
        "depth": (9, 9),
        "side": (5, 4),
        "deep": (13, 10),
        "undeep": (10, 9),
        "untwo": (9, 5),
        "unone": (5, 3),
    }


@torch.no_grad()
def test_the_layers_of_a_sum_decide_together():
    loaded = mirror_network()
    one, two = loaded.module.one, loaded.module.block[1]
    one.weight[3] = 0
    two.weight[3] = 9  # the stream's loudest channel, by its second maker
    ranking = ranking_of("one", loaded=loaded)
    total = l2_norms(one.weight) + l2_norms(two.weight)
    assert ranking.importance["one"] == pytest.approx(total.tolist())
    kept = ranking.cut([2]).kept["one"].outputs
    assert kept == tuple(sorted(total.argsort(descending=True)[:2].tolist()))
    assert 3 in kept


def test_the_criterion_decides():
    loaded = mirror_network()
    ranking = ranking_of("two", loaded=loaded, criterion="l1")
    assert ranking.importance["two"] == pytest.approx(l1_norms(loaded.module.two.weight).tolist())


def test_a_ratio_takes_from_each_tied_layer():
    ranking = ranking_of("one=untwo", "deep")
    assert layout_of_ratio(0.25, ranking.layers) == (6, 12)
    with pytest.raises(UsageError, match=r"--ratio 0.97 empties one, which has 8 channels.*0.875"):
        layout_of_ratio(0.97, ranking.layers)


def test_layers_that_make_the_same_channels_are_one():
    loaded = load_random("adain-lite")
    ranking = ranking_of("encoder.stem=decoder.up.2", "decoder.refine.1", loaded=loaded)
    (stem, _) = ranking.layers
    assert (stem.decoder, stem.width) == (None, 16)
    cut = ranking.cut([10, 32])
    after = widths(cut.network)
    assert (after["encoder.stem"], after["decoder.up.2"]) == ((3, 10), (32, 10))
    assert cut.removed == 6
    runs(cut.network)


@pytest.mark.parametrize(
    ("mirrors", "message"),
    [
        (["tow=undeep"], "tow is no layer of the network, expected a convolution .* such as two"),
        (["zzz"], "such as one, block.0, block.1, two, depth, side"),
        (["line"], "line is a Linear, expected a convolution"),
        (["block"], "block is a ModuleList"),
        (["one=undeep"], "one makes 8 channels and undeep 12; mirrored layers have the same width"),
        (["unone"], "the channels of unone must stay: they are the picture"),
        (["shuffle"], "the channels of shuffle must stay"),
        (["grouped"], "grouped is not run when the network paints"),
        (["one", "block.1"], "block.1: its channels are those of one too, which was named before"),
        (["one", "one"], "its channels are those of one too"),
        (["two=depth", "deep=two"], "deep makes 16 channels and two 12"),
    ],
)
def test_ties_that_do_not_fit(mirrors, message):
    with pytest.raises(UsageError, match=message):
        ranking_of(*mirrors)


@pytest.mark.parametrize("text", ["a=b=c", "=a", "a=", ""])
def test_what_is_no_tie(text):
    with pytest.raises(UsageError, match="is not one: type --mirror ENCODER_LAYER=DECODER_LAYER"):
        LayerPair.parse(text)


def test_a_tie_takes_names_of_weights_too():
    tie = LayerPair.parse(" one.weight = untwo.weight")
    assert (tie, str(tie), str(LayerPair("deep"))) == (
        LayerPair("one", "untwo"),
        "one=untwo",
        "deep",
    )
