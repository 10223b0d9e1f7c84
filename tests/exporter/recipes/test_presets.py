"""Presets of int8 settings: every file decodes, and its name says what it holds."""

from __future__ import annotations

import pytest

from styleexport.core.recipe import Settings
from styleexport.core.types import Precision
from styleexport.exporter.recipes import (
    DEFAULTS,
    FASTER,
    FIRST,
    FOLDER,
    OVER_BUDGET,
    OWN,
    SEARCHED,
    read_preset,
)
from styleexport.exporter.request import QUANTIZED
from styleexport.runtime_bench.quality.budget import Budget

NAMES = sorted(path.stem for path in FOLDER.glob("int8_*.json"))
EQUALIZED = {0.0: "", 0.5: "half_equalized", 0.75: "equalized", 1.0: "fully_equalized"}


def name_of(settings: Settings) -> str:
    parts = (
        "int8",
        settings.ranges.replace("-", ""),
        EQUALIZED[settings.equalize],
        "per_tensor" if settings.weights == "per-tensor" else "",
        "a16" if settings.activation_bits == 16 else "",
        "palette4" if settings.weight_bits == 4 else "",
    )
    return "_".join(filter(None, parts))


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_preset_says_what_it_holds(name):
    settings = read_preset(name)
    assert name_of(settings) == name
    assert (settings.rounding, settings.bias_correction) == ("reconstructed", True)


def test_every_preset_is_used():
    used = {DEFAULTS.first, DEFAULTS.over_budget, DEFAULTS.faster, *DEFAULTS.searched}
    assert used | set(DEFAULTS.own.values()) == set(NAMES)
    assert FIRST.name == "w8c-a8-min-max-eq75-bias-recon-seg"
    assert (OVER_BUDGET.ranges, FASTER.weights) == ("mse", "per-tensor")
    assert [settings.name for settings in SEARCHED] == [
        "w8c-a8-mse-eq75-bias-recon-seg",
        "w8c-a8-percentile-eq75-bias-recon-seg",
        "w8c-a8-min-max-eq50-bias-recon-seg",
        "w8c-a8-min-max-eq100-bias-recon-seg",
    ]
    assert {precision: settings.name for precision, settings in OWN.items()} == {
        Precision.INT8_A16: "w8c-a16-min-max-bias-recon",
        Precision.PALETTE4_INT8: "w4c-a8-min-max-bias-recon",
    }


def test_each_int8_precision_has_a_budget_and_choices_have_one_in_every_precision():
    assert set(DEFAULTS.budgets) == set(DEFAULTS.whitenings) == set(QUANTIZED)
    assert set(DEFAULTS.choices) == set(Precision)
    for text in (*DEFAULTS.budgets.values(), *DEFAULTS.choices.values()):
        assert str(Budget.parse(text)) == text
