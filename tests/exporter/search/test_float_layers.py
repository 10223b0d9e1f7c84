"""Layers that go to float for a budget: which, in what order, and how many."""

from __future__ import annotations

import contextlib
import math
from types import SimpleNamespace

import pytest

from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.recipe import Int8Recipe, Range
from styleexport.core.types import Progress, Role
from styleexport.exporter.quantize.blocks import QuantizedBlock
from styleexport.exporter.quantize.plan import Int8Plan
from styleexport.exporter.quantize.weight_rounding import RoundedWeights
from styleexport.exporter.recipes import FIRST
from styleexport.exporter.search import float_layers as module
from styleexport.exporter.search.float_layers import with_more_float
from styleexport.runtime_bench.quality.budget import Budget

CALIBRATION = CalibrationFact(method="min-max", images=1, styles=0, sha256="c" * 64)
MACS = {"a": 10, "b": 10, "c": 10, "d": 70}


def block(name: str) -> QuantizedBlock:
    return QuantizedBlock(name, name, "x", f"network.{name}.weight", None, MACS[name], False)


def plan() -> Int8Plan:
    recipe = Int8Recipe(
        role=Role.STYLIZE,
        size=SizeFact(height=64, width=96),
        settings=FIRST,
        float_layers=(),
        ranges={name: Range(0.0, 1.0) for name in MACS},
        calibration=CALIBRATION,
    )
    weights = {name: RoundedWeights(None, None) for name in MACS}
    return Int8Plan(recipe, None, None, {}, weights, ())


class Judge:
    """Squared errors of the blocks in int8, added up."""

    def __init__(self, errors: dict[str, float]) -> None:
        self.errors = errors
        self.judged: list[str] = []

    def psnr(self, session: frozenset[str], every: int = 1) -> float:
        return -10 * math.log10(sum(self.errors[name] for name in session))

    def __call__(self, session: frozenset[str]) -> SimpleNamespace:
        self.judged.append("".join(sorted(session)))
        psnr = self.psnr(session)
        return SimpleNamespace(psnr_db=psnr, ssim=1.0, measured=lambda _: psnr)


@pytest.fixture
def files(monkeypatch):
    class Candidates:
        def __init__(self, plan, inputs):
            self.blocks = tuple(map(block, MACS))

        @contextlib.contextmanager
        def session(self, blocks):
            yield frozenset(item.layer for item in blocks)

    monkeypatch.setattr(module, "Candidates", Candidates)


def in_float(
    errors: dict[str, float],
    budget: str,
    progress: Progress = lambda _: None,
    margin_db: float = 0.0,
) -> tuple[Judge, Int8Plan | None]:
    judge, limits = Judge(errors), Budget.parse(budget)
    return judge, with_more_float(plan(), {}, judge, limits, progress, margin_db=margin_db)


@pytest.mark.usefixtures("files")
def test_the_layer_that_loses_most_goes_to_float_first_and_no_more_than_needed():
    judge, found = in_float({"a": 1e-5, "b": 5e-4, "c": 1e-4, "d": 1e-6}, "psnr>=39")
    assert judge.judged == ["acd"]
    (kept,) = found.recipe.float_layers
    assert (kept.layer, kept.weight) == ("b", "b.weight")
    assert kept.reason == "the quality budget asks for it: 82% of the error, 10.0% of the MACs"
    assert sorted(found.weights) == ["a", "c", "d"]


@pytest.mark.usefixtures("files")
def test_a_quarter_of_the_multiplications_goes_to_float_at_most():
    lines: list[str] = []
    errors = {"a": 1e-4, "b": 5e-4, "c": 2e-4, "d": 3e-3}
    judge, found = in_float(errors, "psnr>=60", lines.append)
    assert found is None
    assert judge.judged == ["acd", "ad"]
    assert lines[-1].endswith("shares of the error: d 79%, b 13%, c 5%, a 3%")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("margin", "kept"), [(0.0, "b"), (1.0, "bc"), (20.0, "bc")])
def test_more_layers_go_to_float_for_a_margin_where_that_can_be_had(margin, kept):
    errors = {"a": 1e-5, "b": 5e-4, "c": 1e-4, "d": 1e-6}
    _, found = in_float(errors, "psnr>=39", margin_db=margin)
    assert sorted(item.layer for item in found.recipe.float_layers) == sorted(kept)


@pytest.mark.usefixtures("files")
def test_a_layer_that_loses_nothing_stays_in_int8():
    judge, found = in_float({"a": 1e-9, "b": 1e-3, "c": 1e-9, "d": 2e-3}, "psnr>=60")
    assert found is None
    assert judge.judged == ["acd"]
