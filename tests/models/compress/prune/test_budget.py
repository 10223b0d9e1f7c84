"""Budgets of a pruning: how they are written, and what holds."""

from __future__ import annotations

import pytest

from styleexport.core.budget import BYTE_COUNT, CHANGE, DECIBELS, SHARE
from styleexport.core.errors import QualityBudgetExceeded, UsageError
from styleexport.core.types import Role
from styleexport.models.compress.cost import Change, Costs, RoleCost
from styleexport.models.compress.prune.budget import PruneBudget, check_budget
from styleexport.models.compress.prune.files import with_failures
from styleexport.models.compress.prune.report import PruneReport
from styleexport.models.compress.style_quality import StyleChange


def report(**changes) -> PruneReport:
    """A pruning to 60 % of the MACs at the first size, 40 % of 1 MB, +10 % style, 31 dB."""
    roles = [(Role.ENCODE, "64x64", 50.0, 20.0), (Role.TRANSFORM, "64x64", 50.0, 40.0)]
    roles += [(Role.TRANSFORM, "128x128", 200.0, 1.0)]
    parameters = Change(1e6, 4e5)
    figures = {
        "network": "x",
        "method": "symmetric-l2",
        "parent_sha256": "",
        "removed": 1,
        "calibration": 0,
        "held_out": 4,
        "pictures_sha256": "",
        "pooled_db": 31.0,
        "weights": "slim/weights.safetensors",
        "style": StyleChange(loss_network="x", size="64x64", pairs=1, distance=Change(0.2, 0.22)),
        "costs": Costs(
            parameters=parameters,
            weight_bytes={"int8": parameters},
            style_code=None,
            layers=(),
            roles=tuple(RoleCost(role=r, size=s, macs=Change(a, b)) for r, s, a, b in roles),
        ),
    }
    return PruneReport(**(figures | changes))


@pytest.mark.parametrize(
    ("text", "limits", "again"),
    [
        (
            "macs<=50%, style<=+5%",
            (("macs", 0.5, SHARE), ("style", 0.05, CHANGE)),
            "macs<=50%, style<=+5%",
        ),
        (
            "Parameters <= 12.5 %,psnr>=30dB",
            (("parameters", 0.125, SHARE), ("psnr", 30.0, DECIBELS)),
            "parameters<=12.5%, psnr>=30",
        ),
        ("bytes<=2MB", (("bytes", 2e6, BYTE_COUNT),), "bytes<=2000000B"),
        ("bytes<=350kB", (("bytes", 350e3, BYTE_COUNT),), "bytes<=350000B"),
        ("bytes<=40%", (("bytes", 0.4, SHARE),), "bytes<=40%"),
    ],
)
def test_budgets_are_read(text, limits, again):
    budget = PruneBudget.parse(text)
    assert tuple((x.term.name, x.value, x.unit) for x in budget.limits) == limits
    assert str(budget) == again
    assert PruneBudget.parse(again) == budget


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; type for example --budget 'macs<=50%, style<=[+]5%'"),
        ("macs<=50%, macs<=40%", "names a term twice"),
        ("style<=+5%, psnr>=30", "says nothing of the size, which one of macs, parameters, bytes"),
        ("speed<=50%", "unknown term 'speed'; expected macs, parameters, bytes, style, psnr"),
        ("macs 50%", "'macs 50%' is not a limit"),
        ("macs>=50%", "of macs less is better, so its limit is written with <="),
        ("macs<=50%, psnr<=30", "of psnr more is better, so its limit is written with >="),
        ("macs<=0.5", "macs takes a share of the original in percent, above 0 to 100, got '0.5'"),
        ("macs<=0%", "macs takes a share"),
        ("macs<=101%", "macs takes a share"),
        ("macs<=2MB", "macs takes a share of the original in percent, above 0 to 100, got '2MB'"),
        ("bytes<=2", "or a size at int8 such as 2MB, got '2'"),
        ("bytes<=0MB", "bytes takes"),
        ("macs<=50%, style<=5", "style takes a relative change in percent, got '5'"),
        ("macs<=50%, psnr>=201", "psnr takes decibels, 0 to 200"),
        ("macs<=half", "got 'half'; type for example --budget 'macs<=50%'"),
    ],
)
def test_bad_budgets_say_what_to_type(text, message):
    with pytest.raises(UsageError, match=message):
        PruneBudget.parse(text)


def test_limits_that_do_not_hold_are_named_with_what_was_reached():
    inside = "macs<=60%, parameters<=40%, bytes<=40%, style<=+11%, psnr>=31"
    assert PruneBudget.parse(inside).failures(report()) == ()
    assert PruneBudget.parse("bytes<=400kB").failures(report()) == ()
    outside = "macs<=59%, parameters<=39%, bytes<=0.3MB, style<=+9%, psnr>=32"
    assert PruneBudget.parse(outside).failures(report()) == (
        "macs 60.00 % reached, at most 59.00 % allowed",
        "parameters 40.00 % reached, at most 39.00 % allowed",
        "bytes 0.400 MB reached, at most 0.300 MB allowed",
        "style +10.00 % reached, at most +9.00 % allowed",
        "psnr 31.00 dB reached, at least 32.00 dB allowed",
    )


def test_a_dry_run_is_held_to_its_size_alone():
    dry = report(style=None, pooled_db=None, weights=None)
    assert PruneBudget.parse("macs<=60%, style<=0%, psnr>=99").failures(dry) == ()
    assert len(PruneBudget.parse("macs<=50%, style<=0%").failures(dry)) == 1


@pytest.mark.parametrize(
    ("budget", "changes", "parts"),
    [
        (
            "macs<=50%",
            {"weights": None},
            ("macs 60.00 % reached, at most 50.00 % allowed", "nothing was written", "a quarter"),
        ),
        (
            "macs<=60%, style<=+5%",
            {},
            ("the nearest is slim/weights.safetensors", "not trained: add --retrain FOLDER"),
        ),
        ("macs<=60%, style<=+5%", {"trained_steps": 9}, ("style +10.00 %", "longer with --steps")),
    ],
)
def test_a_budget_that_is_not_met_says_what_to_type(budget, changes, parts):
    told = with_failures(report(**changes), PruneBudget.parse(budget))
    assert told.budget == budget
    with pytest.raises(QualityBudgetExceeded, match=f"budget '{budget[:4]}.*is not met") as caught:
        check_budget(told)
    assert [part for part in parts if part not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


def test_no_budget_and_one_that_holds_pass():
    check_budget(report())
    check_budget(with_failures(report(), PruneBudget.parse("macs<=60%")))
