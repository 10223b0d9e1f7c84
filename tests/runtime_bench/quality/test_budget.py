from __future__ import annotations

import pytest

from styleexport.core.errors import UsageError
from styleexport.core.manifest import SizeFact
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.report import QualityReport


def report(**changes) -> QualityReport:
    figures = {
        "loss_network": "x",
        "size": SizeFact(height=8, width=8),
        "psnr_db": 36.0,
        "stable_psnr_db": 36.0,
        "worst_psnr_db": 30.0,
        "worst_picture": "sky",
        "ssim": 0.98,
        "worst_ssim": 0.9,
        "style_change": 0.04,
        "gram_change": -0.01,
        "lpips_change": None,
        "flicker": (0.02, 0.022),
        "flicker_change": 0.1,
        "pictures": (),
    }
    return QualityReport(**(figures | changes))


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("psnr>=38, style<=+5%", (("psnr", 38.0), ("style", 0.05))),
        ("PSNR >= 38 dB", (("psnr", 38.0),)),
        ("ssim>=.97,flicker<=10%", (("ssim", 0.97), ("flicker", 0.1))),
        ("gram<=-2.5%", (("gram", -0.025),)),
    ],
)
def test_budgets_are_read(text, limits):
    budget = Budget.parse(text)
    assert tuple((x.term.name, x.value) for x in budget.limits) == limits
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; type for example --budget 'psnr>=38, style<=[+]5%'"),
        ("psnr>=38, psnr>=40", "names a metric twice"),
        ("sharpness>=3", "unknown metric 'sharpness'; expected psnr, ssim, style, gram, lpips"),
        ("psnr 38", "'psnr 38' is not a limit"),
        ("psnr<=38", "of psnr more is better, so its limit is written with >="),
        ("style>=5%", "of style less is better, so its limit is written with <="),
        ("psnr>38", "is written with >="),
        ("psnr>=38%", "psnr takes decibels, 0 to 200, got '38%'"),
        ("psnr>=-1", "psnr takes decibels, 0 to 200"),
        ("ssim>=97", "ssim takes a number from 0 to 1, got '97'; type for example"),
        ("style<=0.05", "style takes a relative change in percent, got '0.05'"),
        ("style<=five", "got 'five'; type for example --budget 'style<=[+]5%'"),
    ],
)
def test_bad_budgets_say_what_to_type(text, message):
    with pytest.raises(UsageError, match=message):
        Budget.parse(text)


def test_failures_name_metric_measured_and_allowed():
    assert Budget.parse("psnr>=36, ssim>=0.98, style<=+4%, gram<=0%").failures(report()) == ()
    failures = Budget.parse("psnr>=38, ssim>=0.99, style<=+3%, flicker<=5%").failures(report())
    assert failures == (
        "psnr 36.00 dB measured, at least 38.00 dB allowed",
        "ssim 0.9800 measured, at least 0.9900 allowed",
        "style +4.00 % measured, at most +3.00 % allowed",
        "flicker +10.00 % measured, at most +5.00 % allowed",
    )


def test_what_was_not_measured_is_said():
    with pytest.raises(UsageError, match="lpips, which was not measured: add --loss-weights VGG16"):
        Budget.parse("lpips<=5%").failures(report())
    still = report(flicker=None, flicker_change=None)
    with pytest.raises(UsageError, match="limits flicker, which was not measured"):
        Budget.parse("flicker<=5%").failures(still)


def test_style_codes_are_held_to_their_psnr_alone():
    code = report(ssim=None, style_change=None, gram_change=None, flicker_change=None)
    budget = Budget.parse("psnr>=38, style<=+5%")
    assert budget.failures(code) == ("psnr 36.00 dB measured, at least 38.00 dB allowed",)
    assert (budget.limit("psnr"), budget.limit("ssim")) == (38.0, None)
