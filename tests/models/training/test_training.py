"""Training on a handful of noise pictures: the mechanism, not the art."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.perceptual import (
    reduced,
    relative_distance,
    style_distance,
    style_statistics,
)
from styleexport.models.encoders import vgg16
from styleexport.models.losses.adain import LossWeights
from styleexport.models.networks._open import open_network
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.evaluation import chosen_pairs, evaluate
from styleexport.models.training.loop import TrainingProgress
from styleexport.models.training.plan import TrainingPlan, learning_rate, slots_for
from styleexport.models.training.run import train_network
from tests.models.pictures import write_pictures


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_pictures(folder, 3)
    (folder / "content" / "broken.jpg").write_bytes(b"no picture")
    torch.manual_seed(0)
    torch.save(vgg16.build(("relu5_3",)).state_dict(), folder / "vgg16.pth")
    return folder


def plan(place: Path, out: Path, **changes) -> TrainingPlan:
    settings = {
        "steps": 6,
        "batch": 2,
        "crop": 32,
        "slots": 4,
        "checkpoint_every": 3,
        "sheet_every": 6,
        "bfloat16": False,
    }
    return TrainingPlan(
        content=(place / "content",),
        style=(place / "style",),
        loss_weights=place / "vgg16.pth",
        out=out,
        **(settings | changes),
    )


def test_training_leaves_weights_that_open_a_log_and_a_sheet(place, tmp_path):
    lines: list[str] = []
    result = train_network("adain-lite", plan(place, tmp_path / "run"), progress=lines.append)
    open_network("adain-lite", [result.weights])
    entry = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert entry["step"] == 6
    assert {"style", "content", "identity"} <= entry.keys()
    assert (tmp_path / "run" / "sheet_000006.png").exists()
    assert any("min left" in line for line in lines)


def test_resume_goes_on_where_it_stopped(place, tmp_path):
    train_network("adain-lite", plan(place, tmp_path / "run", steps=3))
    lines: list[str] = []
    result = train_network(
        "adain-lite", plan(place, tmp_path / "run"), resume=True, progress=lines.append
    )
    assert "resumed at step 3" in lines
    assert result.step == 6


def test_a_stop_and_a_resume_change_nothing(place, tmp_path, monkeypatch):
    """The crops too: the pools are restored with their draws and their uses."""
    settings = {"steps": 4, "slots": 3, "reuse": 2, "checkpoint_every": 2}
    whole = train_network("adain-lite", plan(place, tmp_path / "whole", **settings))
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):

        def stop(trainer):
            if trainer.step == 3:
                raise InterruptedError

        patch.setattr("styleexport.models.training.loop.Trainer._update_average", stop)
        train_network("adain-lite", plan(place, tmp_path / "run", **settings))
    resumed = train_network("adain-lite", plan(place, tmp_path / "run", **settings), resume=True)
    a, b = (torch.load(r.weights.parent / "last.pt", weights_only=True) for r in (whole, resumed))
    assert a["objective"] == b["objective"]
    assert all(torch.equal(value, b["module"][key]) for key, value in a["module"].items())


def test_an_earlier_training_is_not_overwritten(place, tmp_path):
    train_network("adain-lite", plan(place, tmp_path / "run", steps=1, checkpoint_every=1))
    with pytest.raises(UsageError, match="add --resume"):
        train_network("adain-lite", plan(place, tmp_path / "run"))


def test_the_same_seed_gives_the_same_weights(place, tmp_path):
    states = []
    for name in ("a", "b"):
        result = train_network("adain-lite", plan(place, tmp_path / name, steps=2))
        states.append(open_network("adain-lite", [result.weights]).module.state_dict())
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key])


def test_only_the_decoder_of_a_frozen_encoder_learns(place, tmp_path):
    result = train_network(
        "adain-vgg16", plan(place, tmp_path / "run", steps=1), backbone=place / "vgg16.pth"
    )
    trained = open_network("adain-vgg16", [result.weights]).module.state_dict()
    backbone = torch.load(place / "vgg16.pth", weights_only=True)
    assert torch.equal(trained["encoder.features.0.weight"], backbone["features.0.weight"])


@pytest.mark.parametrize(
    ("network", "settings", "error", "message"),
    [
        ("adain-vgg16", {}, UsageError, "type --backbone PATH"),
        ("fast-style", {}, UsageError, "this one has a fixed style"),
        ("adain-lite", {"backbone": Path("x")}, UsageError, "leave out --backbone"),
        ("adain-lite", {"resume": True}, BadCheckpoint, "last.pt"),
    ],
)
def test_a_training_that_cannot_start_says_why(place, tmp_path, network, settings, error, message):
    with pytest.raises(error, match=message):
        train_network(network, plan(place, tmp_path / "run"), **settings)


def test_a_loss_of_nan_stops_before_the_checkpoint_is_spoilt(place, tmp_path):
    spoilt = plan(place, tmp_path / "run", weights=LossWeights(style=float("nan")))
    with pytest.raises(BadCheckpoint, match="lower --learning-rate"):
        train_network("adain-lite", spoilt)


def test_distances_are_relative_and_zero_for_the_same():
    a = torch.rand(2, 8)
    assert torch.allclose(relative_distance(a, a), torch.zeros(2), atol=1e-3)
    assert torch.allclose(relative_distance(3 * a, a), torch.full((2,), 2.0), atol=1e-4)
    features = [torch.rand(1, 4, 5, 5), torch.rand(1, 6, 3, 3)]
    row = style_statistics(features)
    assert row.shape == (1, 20)
    assert float(style_distance(row, row, (4, 6))) < 1e-3


def test_learning_rate_warms_up_and_falls():
    steps = TrainingPlan((), (), Path(), Path(), steps=10_000, learning_rate=1.0)
    rates = [learning_rate(steps, step) for step in (0, 499, 5_000, 9_999)]
    assert rates[0] < 0.01 < rates[2] < rates[1]
    assert rates[3] == pytest.approx(0.01, abs=1e-3)


def test_a_pool_keeps_fewer_large_crops():
    assert [slots_for(crop) for crop in (64, 128, 256, 512)] == [768, 768, 192, 64]


def test_progress_says_how_long_it_will_take():
    assert TrainingProgress(10, 70, {}, 2.0).seconds_left == 120


def test_evaluation_of_the_style_itself_is_zero(place):
    styles = torch.rand(2, 3, 48, 48)
    contents = torch.rand(2, 3, 6, 6).repeat_interleave(8, 2).repeat_interleave(8, 3)
    heads = place / "heads.npz"
    np.savez(
        heads, **{f"lin{i}": np.ones(c, np.float32) for i, c in enumerate((64, 128, 256, 512, 512))}
    )
    figures, outputs = evaluate(lambda c, s: s, contents, styles, place / "vgg16.pth", heads)
    assert figures.pairs == 4
    assert figures.style_distance < 1e-3 < figures.unstyled_distance
    assert figures.lpips is not None
    assert outputs.shape == (2, 2, 3, 48, 48)
    assert [gain.size for gain in figures.gain_beyond_colour] == [48, 24]
    assert all(gain.mean > 0 and gain.positive == 1 for gain in figures.gain_beyond_colour)
    assert figures.positive_at_all == 1


def test_the_style_loss_is_the_mean_over_the_scales(place, tmp_path):
    settings = plan(place, tmp_path / "run", style_scales=(1, 2))
    objective = AdainObjective(open_network("adain-lite").module, settings)
    output, style = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    target = objective.describe_style(style)
    with torch.no_grad():
        loss = objective.style_loss(output, objective.features(output), target)
        expected = [
            style_distance(
                style_statistics(objective.features(reduced(output, scale))),
                style_statistics(objective.features(reduced(style, scale))),
                objective.features.widths,
            )
            for scale in (1, 2)
        ]
    assert float(loss) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)


def test_the_full_size_can_be_left_to_some_steps(place, tmp_path):
    settings = plan(place, tmp_path / "run", crop=64, style_scales=(1, 2), full_size_every=2)
    objective = AdainObjective(open_network("adain-lite").module, settings)
    objective.open(0)
    sides: list[int] = []
    objective.features.register_forward_pre_hook(lambda _, args: sides.append(args[0].shape[-1]))
    batch = objective.draw()
    objective.draw = lambda: batch
    used = {}
    for step in (0, 1):
        sides.clear()
        terms = objective.terms(step)
        used[step] = set(sides)
    assert used == {0: {64, 32}, 1: {32}}
    assert all(bool(torch.isfinite(term)) for term in terms.values())


def test_fewer_pairs_use_as_many_pictures_as_they_can(place):
    assert chosen_pairs(2, 3) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert chosen_pairs(3, 3, 3) == [(0, 0), (1, 1), (2, 2)]
    assert chosen_pairs(2, 2, 3) == [(0, 0), (0, 1), (1, 1)]
    styles = torch.rand(2, 3, 48, 48)
    figures, outputs = evaluate(lambda c, s: s, styles, styles, place / "vgg16.pth", None, 2)
    assert figures.pairs == 2
    assert torch.equal(outputs[0, 1], torch.ones(3, 48, 48))
