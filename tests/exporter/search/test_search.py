"""The search: which trials it makes, what it keeps, what it gives up. Nothing is written or run."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import msgspec
import pytest
import torch

from styleexport.core.errors import QualityBudgetExceeded, UsageError
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.recipe import FloatLayer, Int8Recipe
from styleexport.core.types import Role
from styleexport.exporter.quantize.blocks import AMPLIFIED, QuantizedBlock
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs
from styleexport.exporter.quantize.plan import Int8Plan
from styleexport.exporter.quantize.weight_rounding import RoundedWeights
from styleexport.exporter.recipes import FASTER, FIRST, SEARCHED
from styleexport.exporter.search import search as module
from styleexport.exporter.search.search import SearchRequest, search
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.report import PictureQuality, QualityReport

SIZE = SizeFact(height=64, width=96)
CALIBRATION = CalibrationFact(method="min-max", images=1, styles=0, sha256="c" * 64)
OUTER = FloatLayer(layer="outer", reason=AMPLIFIED, weight="outer.weight")


def block(name: str) -> QuantizedBlock:
    return QuantizedBlock(name, name, "x", f"network.{name}.weight", None, 10, False)


@dataclass
class World:
    """What each block costs in int8 and saves in time, and how settings change it.

    Attributes:
        errors: block → squared error in int8.
        savings: block → share of the float time that int8 saves.
        factors: name of settings → factor of all errors; 1 for others.
        speeds: name of settings → factor of the time; 1 for others.
        dies_after: an interrupt comes once so many files were judged, in full or quickly.
        judged: settings and int8 blocks of the files judged in full.
        glanced: of those looked at quickly.
    """

    errors: dict[str, float]
    savings: dict[str, float]
    factors: dict[str, float] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)
    outer: bool = False
    dies_after: int = 99
    judged: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    glanced: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def make_plan(
        self, graph, calibration, settings, float_layers=(), *, forced_int8=(), progress=None
    ):
        every = (OUTER,) if self.outer and OUTER.layer not in forced_int8 else ()
        recipe = Int8Recipe(
            role=Role.STYLIZE,
            size=SIZE,
            settings=settings,
            float_layers=every,
            ranges={},
            calibration=calibration.fact,
        )
        weights = {name: RoundedWeights(torch.zeros(1), None) for name in self.errors}
        return Int8Plan(recipe, graph, graph, {}, weights, ())

    def decibels(self, session) -> float:
        if len(self.judged) + len(self.glanced) >= self.dies_after:
            raise KeyboardInterrupt
        settings, layers = session
        error = self.factors.get(settings, 1) * sum(self.errors[name] for name in layers)
        return -10 * math.log10(max(error, 1e-12))

    def psnr(self, session, every: int = 1) -> float:
        assert every > 1, "a quick score runs few pictures"
        found = self.decibels(session)
        self.glanced.append(session)
        return found

    def __call__(self, session) -> QualityReport:
        psnr = self.decibels(session)
        self.judged.append(session)
        picture = PictureQuality(name="a", kind="photograph", psnr_db=psnr, stability_db=60)
        return QualityReport(
            loss_network="none",
            size=SIZE,
            psnr_db=psnr,
            stable_psnr_db=psnr,
            worst_psnr_db=psnr,
            worst_picture="a",
            ssim=0.9,
            worst_ssim=0.9,
            style_change=0.01,
            gram_change=0.01,
            lpips_change=None,
            flicker=None,
            flicker_change=None,
            pictures=(picture,),
        )

    def candidates(self, plan, inputs):
        return FakeCandidates(plan, self)


class FakeCandidates:
    def __init__(self, plan, world: World) -> None:
        self.plan, self.world = plan, world
        kept = {item.layer for item in plan.recipe.float_layers}
        self.blocks = tuple(block(name) for name in world.errors if name not in kept)

    @contextlib.contextmanager
    def session(self, blocks):
        yield self.plan.recipe.settings.name, frozenset(u.layer for u in blocks)

    def time_share(self, session, baseline) -> float:
        assert not baseline[1], "time is taken against the float file"
        settings, layers = session
        speed = self.world.speeds.get(settings, 1)
        return speed * (1 - sum(self.world.savings[name] for name in layers))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Searches in a world; returns the plan and what was said."""

    def searched(world: World, budget: str = "psnr>=38"):
        monkeypatch.setattr(module, "make_plan", world.make_plan)
        monkeypatch.setattr(module, "Candidates", world.candidates)
        request = SearchRequest(
            graph=SimpleNamespace(digest=lambda: "g" * 64, size="64x96"),
            calibration=CalibrationInputs(({},), CALIBRATION),
            judge=world,
            budget=Budget.parse(budget),
            state=tmp_path / "a.search" / "net.json",
            label="net",
        )
        said: list[str] = []
        return search(request, said.append), said

    return searched


def easy(**changes) -> World:
    names = "abcd"
    return World(dict.fromkeys(names, 1e-5), dict.fromkeys(names, 0.1), **changes)


def hard(**changes) -> World:
    """``b`` costs most, ``c`` much for little time, ``d`` little; 37.4 dB altogether."""
    errors = {"a": 1e-5, "b": 1e-4, "c": 6e-5, "d": 1e-5}
    savings = {"a": 0.2, "b": 0.05, "c": 0.2, "d": 0.1}
    return World(errors, savings, **changes)


def test_the_fixed_recipe_is_taken_where_it_is_inside(run, tmp_path):
    world = easy()
    plan, said = run(world)
    assert plan.recipe.settings == FIRST
    assert plan.recipe.float_layers == ()
    assert [t.settings for t in plan.recipe.trials] == [FIRST, FASTER]
    assert all(trial.inside for trial in plan.recipe.trials)
    assert said[0] == f"net: {FIRST.name}, 0 more in float: 43.98 dB, 60% of float32's time"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("speed", "taken"), [(0.9, FASTER), (0.98, FIRST)])
def test_one_scale_a_weight_is_taken_where_it_is_faster_than_noise(run, speed, taken):
    plan, _ = run(easy(speeds={FASTER.name: speed}))
    assert plan.recipe.settings == taken


def test_one_scale_a_weight_is_not_taken_where_it_leaves_the_budget(run):
    world = easy(speeds={FASTER.name: 0.5}, factors={FASTER.name: 10})
    plan, said = run(world)
    assert plan.recipe.settings == FIRST
    assert said[1].endswith(", over budget")


def test_other_settings_are_tried_before_any_layer_goes_back_to_float(run):
    names = {settings.name for settings in SEARCHED}
    assert len(names) == len(SEARCHED) == 4
    better = SEARCHED[1].name
    plan, _ = run(hard(factors={better: 0.5}))
    assert plan.recipe.settings.name == better
    assert plan.recipe.float_layers == ()
    assert {trial.settings.name for trial in plan.recipe.trials} == {FIRST.name, *names}


def test_layers_that_win_most_for_their_time_go_back_to_float(run):
    world = hard()
    plan, said = run(world)
    (kept,) = plan.recipe.float_layers
    assert kept.layer == "b"
    assert kept.weight == "b.weight"
    assert kept.reason == "the quality budget asks for it: 3.52 dB for 5.0% of the float time"
    assert "b" not in plan.weights  # its weights are its own again
    assert set(plan.weights) == {"a", "c", "d"}
    best = next(t for t in plan.recipe.trials if t.float_layers == ("b",) and t.settings == FIRST)
    assert best.inside
    assert best.psnr_db >= 38
    assert any("1 more in float" in line for line in said)


def test_what_turns_out_not_to_be_needed_is_taken_back(run):
    """``a`` costs little time and goes first, but ``b`` is enough alone."""
    errors = {"a": 3e-5, "b": 1.7e-4, "c": 1e-6}
    world = World(errors, {"a": 0.01, "b": 0.3, "c": 0.2})
    plan, _ = run(world)
    assert [item.layer for item in plan.recipe.float_layers] == ["b"]
    tried = {trial.float_layers for trial in plan.recipe.trials}
    assert ("a", "b") in tried


def test_the_front_holds_what_nothing_beats(run):
    plan, _ = run(hard())
    trials = plan.recipe.trials
    front = [trial for trial in trials if trial.on_front]
    assert front
    for trial in trials:
        beaten = any(
            other.psnr_db >= trial.psnr_db
            and other.time_share <= trial.time_share
            and (other.psnr_db, other.time_share) != (trial.psnr_db, trial.time_share)
            for other in trials
        )
        assert trial.on_front != beaten


def test_over_budget_to_the_end_is_refused(run, tmp_path):
    with pytest.raises(QualityBudgetExceeded) as caught:
        run(easy(), "psnr>=80")
    assert str(caught.value) == (
        "net: no int8 file stays inside psnr>=80: with one layer in int8 alone psnr is 50.0 dB; "
        "type --precision fp16, or a wider --budget"
    )


def test_a_network_of_one_layer_that_is_over_budget_is_refused(run):
    with pytest.raises(QualityBudgetExceeded, match=r"with one layer in int8 alone psnr is 30\.0"):
        run(World({"a": 1e-3}, {"a": 0.5}))


def test_a_layer_in_float_by_default_is_tried_in_int8_where_there_is_room(run):
    world = easy(outer=True)
    world.errors["outer"], world.savings["outer"] = 1e-5, 0.2
    plan, _ = run(world)
    assert plan.recipe.float_layers == ()
    assert [t.forced_int8 for t in plan.recipe.trials] == [(), (), ("outer",)]
    dear = easy(outer=True)
    dear.errors["outer"], dear.savings["outer"] = 1e-2, 0.2
    plan, _ = run(dear)
    assert plan.recipe.float_layers == (OUTER,)
    slow = easy(outer=True)
    slow.errors["outer"], slow.savings["outer"] = 1e-6, 0.001
    plan, _ = run(slow)
    assert plan.recipe.float_layers == (OUTER,)


def test_an_interrupted_search_goes_on_where_it_was(run, tmp_path):
    whole = hard()
    expected, _ = run(whole)
    first = hard(dies_after=7)
    with pytest.raises(KeyboardInterrupt):
        run(first)
    state = tmp_path / "a.search" / "net.json"
    kept = msgspec.json.decode(state.read_bytes())
    assert (len(kept["trials"]), len(kept["glances"])) == (5, 2)
    second = hard()
    plan, said = run(second)
    assert said[0] == "net: 5 trials of an earlier search are kept"
    assert first.judged + second.judged == whole.judged
    assert first.glanced + second.glanced == whole.glanced
    assert plan.recipe == expected.recipe
    assert not state.exists()


def test_trials_of_another_budget_are_made_again_and_a_damaged_file_is_kept(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(hard(dies_after=3))
    world = hard()
    _, said = run(world, "psnr>=37.7")
    assert "kept" not in said[0]
    assert len(world.judged) + len(world.glanced) == len(said)
    state = tmp_path / "a.search" / "net.json"
    state.parent.mkdir()
    state.write_bytes(b"{broken")
    with pytest.raises(
        UsageError, match=r"net.json is .* not the state of a search, so it is kept"
    ):
        run(hard(), "psnr>=37.7")
    assert state.read_bytes() == b"{broken"


def test_no_trial_is_made_twice(run):
    world = hard()
    run(world)
    assert len(set(world.judged)) == len(world.judged)
    assert len(set(world.glanced)) == len(world.glanced) == 5
