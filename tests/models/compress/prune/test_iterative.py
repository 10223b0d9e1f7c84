"""Rounds of pruning: the layouts between, and what a folder was begun with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from styleexport.core.errors import UsageError
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.iterative import (
    Asked,
    IterativeState,
    Retraining,
    check_trainable,
    layouts,
    stored_layout,
)
from styleexport.models.compress.prune.multiples import ChosenLayout, MultipleChoice
from styleexport.models.compress.prune.symmetric_l2 import PruneConfig
from styleexport.models.network import LoadedNetwork
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.resume import pictures_sha256
from tests.conftest import load_random

ASKED = Asked(PruneBudget.parse("macs<=50%"))
OLD = {"checkpoint": "0" * 64, "data": "", "layout": [48, 30], "rounds": 2, "steps": 3}


@pytest.fixture
def how(tmp_path: Path) -> Retraining:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "one.png")
    plan = TrainingPlan((folder,), (folder,), tmp_path / "vgg.npz", tmp_path / "rounds", steps=3)
    plan.out.mkdir()
    return Retraining(plan, 2, resume=True)


@pytest.fixture
def network() -> LoadedNetwork:
    return load_random("adain-lite")


def test_each_round_takes_the_same_share():
    assert layouts([64, 100], [16, 100], 2) == [(32, 100), (16, 100)]
    assert layouts([81], [16], 4)[-1] == (16,)
    assert [width for (width,) in layouts([81], [24], 3)] == [54, 36, 24]


def check_resumable(how: Retraining, **changes: object) -> None:
    data = pictures_sha256((*how.plan.content, *how.plan.style))
    state = msgspec.convert(OLD | {"data": data, "budget": "macs<=50%"} | changes, IterativeState)
    (how.plan.out / "rounds.json").write_bytes(msgspec.json.encode(state))


def test_the_layout_of_a_budget_is_not_sought_again(how, network):
    check_resumable(how)
    assert stored_layout(network, how, PruneConfig(), ASKED) == ChosenLayout((48, 30))
    again = replace(how, resume=False)
    with pytest.raises(UsageError, match=r"rounds.json exists: add --resume"):
        stored_layout(network, again, PruneConfig(), ASKED)
    with pytest.raises(UsageError, match="another budget"):
        stored_layout(network, how, PruneConfig(), Asked(PruneBudget.parse("macs<=40%")))
    with pytest.raises(UsageError, match="another criterion"):
        stored_layout(network, how, PruneConfig(criterion="l1"), ASKED)
    with pytest.raises(UsageError, match="another checkpoint"):
        stored_layout(replace(network, source_sha256="1" * 64), how, PruneConfig(), ASKED)


def test_rounds_that_have_not_begun(how, network):
    assert stored_layout(network, replace(how, resume=False), PruneConfig(), ASKED) is None
    with pytest.raises(UsageError, match=r"no .*rounds.json to go on with: leave out --resume"):
        stored_layout(network, how, PruneConfig(), ASKED)
    (how.plan.out / "rounds.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        stored_layout(network, how, PruneConfig(), ASKED)


def test_the_note_of_an_earlier_version_is_read(how):
    state = json.dumps(OLD)
    found = msgspec.json.decode(state, type=IterativeState)
    assert (found.criterion, found.mirrors, found.reconstruct, found.budget) == (
        "l2",
        (),
        False,
        None,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style": ()}, "learns from paintings: add --style FOLDER"),
        ({"loss_weights": None}, "needs ImageNet's VGG-16: add --loss-weights PATH"),
        ({"content": (Path("nowhere"),)}, "nowhere is not a folder"),
    ],
)
def test_what_training_lacks_is_said_first(how, network, changes, message):
    with pytest.raises(UsageError, match=message):
        check_trainable(network, replace(how, plan=replace(how.plan, **changes)))


def test_a_network_of_one_style_is_not_trained(how):
    with pytest.raises(UsageError, match="fast-style paints in one style"):
        check_trainable(load_random("fast-style"), how)


def test_a_multiple_chosen_by_time_is_not_timed_again(how, network):
    choice = MultipleChoice(multiple=16, reason="least int8 time")
    asked = Asked(layout="0.25 to auto")
    check_resumable(how, multiple=choice, asked=asked.layout, budget=None)
    assert stored_layout(network, how, PruneConfig(), asked) == ChosenLayout((48, 30), choice)
    with pytest.raises(UsageError, match="another asked"):
        stored_layout(network, how, PruneConfig(), Asked(layout="0.5 to auto"))
