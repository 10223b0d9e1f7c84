"""Sensitivity of layers, style distance of what is pruned, and the layout that a budget finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styleexport.core.types import Size
from styleexport.models.compress.cost import compare_costs, total_macs
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.layout_search import CostModel, find_layout
from styleexport.models.compress.prune.mirrors import LayerPair
from styleexport.models.compress.prune.plots import write_sensitivity
from styleexport.models.compress.prune.reconstruct import Calibration
from styleexport.models.compress.prune.sensitivity import (
    LayerSensitivity,
    Loss,
    Sensitivity,
    measure_sensitivity,
)
from styleexport.models.compress.prune.symmetric_l2 import ChannelRanking, PruneConfig
from styleexport.models.compress.style_quality import StyleJudge, style_network
from tests.conftest import load_random
from tests.models.compress.own_networks import mirror_network

SIZE = Size(32, 48)
TIES = (LayerPair("one", "untwo"), LayerPair("two", "undeep"), LayerPair("deep"))


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    found = []
    for index in range(5):
        small = np.random.default_rng(index).integers(0, 255, (6, 8, 3), np.uint8)
        found.append(Image.fromarray(small).resize((48, 36), Image.Resampling.BICUBIC))
    return found


@pytest.fixture(scope="module")
def ranking() -> ChannelRanking:
    return ChannelRanking.of(mirror_network(), PruneConfig(TIES))


def test_the_whole_network_is_judged_equal_to_itself(pictures, ranking):
    judge = StyleJudge(ranking.network, pictures, SIZE, style_network(None))
    assert judge.pairs == 15
    assert judge(ranking.network) == judge.original
    assert judge.original.psnr_db == 200
    assert 0 < judge.original.style < 3
    change = judge.change(ranking.cut([4, 6, 8]).network)
    assert (change.size, change.pairs, change.loss_network) == ("32x48", 15, "adain-lite encoder")
    assert change.distance.before != change.distance.after
    assert change.change == pytest.approx(change.distance.after / change.distance.before - 1)


@torch.no_grad()
def test_a_network_of_one_style_has_its_own_paintings_as_style(pictures):
    loaded = load_random("fast-style")
    judge = StyleJudge(loaded, pictures[:3], Size(32, 32), style_network(None), styles=1)
    assert judge.pairs == 3
    assert judge.original.style > 0.01  # each in the style of another
    other = load_random("fast-style", seed=1)
    assert judge(other).style != judge.original.style
    assert judge(other).psnr_db < 60


def test_each_layer_is_cut_alone(pictures, ranking):
    said: list[str] = []
    calibration = Calibration.of(pictures, SIZE)
    features = style_network(None)
    plain = measure_sensitivity(ranking, pictures, Size(300, 48), features, progress=said.append)
    assert (plain.size, plain.pairs, plain.reconstructed) == ("128x48", 4, False)
    assert [layer.layer for layer in plain.layers] == ["one", "two", "deep"]
    assert [layer.decoder for layer in plain.layers] == ["untwo", "undeep", None]
    assert [loss.width for loss in plain.layers[0].losses] == [7, 6, 4, 2]
    assert [loss.share for loss in plain.layers[0].losses] == [0.125, 0.25, 0.5, 0.75]
    assert len(said) == 4
    with_pictures = replace(ranking, config=replace(ranking.config, calibration=calibration))
    fitted = measure_sensitivity(with_pictures, pictures, SIZE, features)
    unfitted = measure_sensitivity(ranking, pictures, SIZE, features)
    assert fitted.reconstructed
    pairs = [
        (a.psnr_db, b.psnr_db)
        for x, y in zip(fitted.layers, unfitted.layers, strict=True)
        for a, b in zip(x.losses, y.losses, strict=True)
    ]
    assert sum(a > b for a, b in pairs) >= 10


def curve(layer: str, width: int, *changes: float) -> LayerSensitivity:
    shares = (0.125, 0.25, 0.5, 0.75)
    return LayerSensitivity(
        layer=layer,
        encoder=layer,
        decoder=None,
        width=width,
        losses=tuple(
            Loss(share=s, width=round(width * (1 - s)), style_change=c, psnr_db=20.0)
            for s, c in zip(shares, changes, strict=True)
        ),
    )


def test_a_curve_is_straight_between_what_was_measured_and_never_falls():
    layer = curve("x", 64, 0.1, 0.05, 0.3, 0.2)
    at = [layer.style_change_at(width) for width in (64, 60, 56, 48, 40, 32, 16, 8)]
    assert at == pytest.approx([0, 0.05, 0.1, 0.1, 0.2, 0.3, 0.3, 0.3])


def found(ranking: ChannelRanking, curves: list[LayerSensitivity], budget: str) -> tuple[int, ...]:
    sensitivity = Sensitivity(
        loss_network="x",
        size="x",
        pairs=1,
        reconstructed=False,
        style_distance=1,
        layers=tuple(curves),
    )
    return find_layout(ranking, sensitivity, PruneBudget.parse(budget).sizes, SIZE)


def test_the_model_counts_what_the_network_costs(ranking):
    layout = (5, 7, 9)
    macs, parameters = CostModel(ranking, SIZE)(ranking.removed_groups(layout))
    costs = compare_costs(ranking.network, ranking.cut(layout).network, [SIZE], timed=False)
    assert macs == pytest.approx(total_macs(costs).after)
    assert parameters == pytest.approx(costs.parameters.after)


def test_the_layer_that_costs_least_style_gives_first(ranking):
    dear, free = (0.5, 1.0, 2.0, 4.0), (0.0, 0.0, 0.0, 0.0)
    for cheap in range(3):
        curves = [
            curve(layer.name, layer.width, *(free if index == cheap else dear))
            for index, layer in enumerate(ranking.layers)
        ]
        layout = found(ranking, curves, "parameters<=80%")
        lost = [w - now for w, now in zip(ranking.widths, layout, strict=True)]
        assert lost[cheap] > 0
        costs = compare_costs(ranking.network, ranking.cut(layout).network, [SIZE], timed=False)
        assert costs.parameters.share <= 0.8
        if sum(lost) == lost[cheap]:
            wider = [*layout]
            wider[cheap] += 1
            costs = compare_costs(ranking.network, ranking.cut(wider).network, [SIZE], timed=False)
            assert costs.parameters.share > 0.8


def test_every_limit_of_size_holds_at_once(ranking):
    curves = [curve(layer.name, layer.width, 0.1, 0.2, 0.4, 0.8) for layer in ranking.layers]
    bytes_now = sum(p.numel() for p in ranking.network.module.parameters())
    layout = found(ranking, curves, f"macs<=60%, bytes<={0.5 * bytes_now}B")
    costs = compare_costs(ranking.network, ranking.cut(layout).network, [SIZE], timed=False)
    assert total_macs(costs).share <= 0.6
    assert costs.weight_bytes["int8"].after <= 0.5 * bytes_now


def test_what_cannot_be_reached_ends_at_a_quarter(ranking):
    curves = [curve(layer.name, layer.width, 0.1, 0.2, 0.4, 0.8) for layer in ranking.layers]
    assert found(ranking, curves, "macs<=1%") == (2, 3, 4)
    assert found(ranking, curves, "macs<=100%") == ranking.widths


def test_wide_layers_stay_at_multiples_of_eight():
    ranking = ChannelRanking.of(load_random("adain-cd16x"), PruneConfig())
    curves = [curve(layer.name, layer.width, 0.1, 0.2, 0.4, 0.8) for layer in ranking.layers]
    layout = found(ranking, curves, "macs<=40%, parameters<=40%")
    wide = [w for w, layer in zip(layout, ranking.layers, strict=True) if layer.width >= 32]
    assert all(width % 8 == 0 for width in wide)
    assert min(layout) >= 4


def test_a_line_a_layer_is_drawn(tmp_path: Path):
    path = tmp_path / "sensitivity.svg"
    curves = {"a<b": [(0.0, 0.0), (0.5, 0.2), (0.75, 1.0)], "flat": [(0.0, 0.0), (0.75, -0.1)]}
    write_sensitivity(path, "mine: & yours", curves)
    svg = path.read_text()
    assert "a&lt;b" in svg
    assert "mine: &amp; yours" in svg
    assert svg.count('<path class="mark') == 5 + 2  # the key has one each
    assert svg.count('<path class="line') == 2
    marks = ("-20%", "+0%", "+40%", "+100%")
    assert [mark for mark in marks if f">{mark}<" in svg] == list(marks)
