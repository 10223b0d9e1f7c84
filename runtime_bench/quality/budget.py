"""A quality budget: what a file may lose, written as ``psnr>=38, style<=+5%``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import get_args

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.quality.report import Metric, QualityReport

EXAMPLE = "psnr>=38, style<=+5%"
LIMIT = re.compile(r"(?P<metric>[\w\-]+)\s*(?P<sign><=|>=|<|>|==?)\s*(?P<value>\S.*)")
NUMBER = re.compile(r"(?P<number>[+-]?\d+(\.\d*)?|[+-]?\.\d+)\s*(?P<unit>%|dB)?", re.IGNORECASE)
ABSOLUTE: tuple[Metric, ...] = ("psnr", "ssim")


@dataclass(frozen=True)
class Limit:
    """The least or most of one metric.

    Attributes:
        metric: psnr (dB, pooled) and ssim (mean) are bounded below; style, gram, lpips and flicker
            are relative changes, bounded above.
        value: in dB, 0..1, or a share: 0.05 is 5 %.
    """

    metric: Metric
    value: float

    @property
    def is_least(self) -> bool:
        """Whether more is better."""
        return self.metric in ABSOLUTE

    def holds(self, measured: float) -> bool:
        """Whether a figure is inside."""
        return measured >= self.value if self.is_least else measured <= self.value

    def shown(self, value: float) -> str:
        """Return a figure of this metric in its unit."""
        if self.metric == "psnr":
            return f"{value:.2f} dB"
        return f"{value:.4f}" if self.metric == "ssim" else f"{100 * value:+.2f} %"

    def __str__(self) -> str:
        value = f"{self.value:g}" if self.is_least else f"{100 * self.value:+g}%"
        return f"{self.metric}{'>=' if self.is_least else '<='}{value}"


@dataclass(frozen=True)
class Budget:
    """Limits that must all hold."""

    limits: tuple[Limit, ...]

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Return the budget that a text such as ``psnr>=38, style<=+5%`` describes.

        Raises:
            UsageError: a metric, sign or value does not fit, or a metric is named twice.
        """
        limits = tuple(_limit(part.strip(), text) for part in text.split(",") if part.strip())
        names = [limit.metric for limit in limits]
        if not limits or len(set(names)) < len(names):
            reason = "names a metric twice" if limits else "is empty"
            raise UsageError(f"budget {text!r} {reason}; type for example --budget '{EXAMPLE}'")
        return cls(limits)

    def stricter(self, decibels: float) -> Budget:
        """Return the budget with its PSNR's limit raised."""
        raised = (
            replace(limit, value=limit.value + decibels) if limit.metric == "psnr" else limit
            for limit in self.limits
        )
        return Budget(tuple(raised))

    def limit(self, metric: Metric) -> float | None:
        """Return the value of a metric's limit; None where it has none."""
        return next((limit.value for limit in self.limits if limit.metric == metric), None)

    def failures(self, report: QualityReport) -> tuple[str, ...]:
        """Return each limit that does not hold: metric, measured, allowed; () inside the budget.

        Of style codes only the PSNR is looked at: they have no style of their own.

        Raises:
            UsageError: a metric of the budget was not measured.
        """
        found: list[str] = []
        for limit in self.limits:
            measured = report.measured(limit.metric)
            if measured is None:
                if report.ssim is None:
                    continue
                raise _unmeasured(limit.metric)
            if not limit.holds(measured):
                word = "at least" if limit.is_least else "at most"
                found.append(
                    f"{limit.metric} {limit.shown(measured)} measured, {word} "
                    f"{limit.shown(limit.value)} allowed"
                )
        return tuple(found)

    def __str__(self) -> str:
        return ", ".join(map(str, self.limits))


def _unmeasured(metric: Metric) -> UsageError:
    if metric == "lpips":
        return UsageError(
            "the budget limits lpips, which was not measured: add --loss-weights VGG16 and "
            "--lpips-heads HEADS, or leave lpips out of --budget"
        )
    return UsageError(f"the budget limits {metric}, which was not measured: leave it out")


def _limit(part: str, text: str) -> Limit:
    """Return the limit that one part of a budget describes."""
    match = LIMIT.fullmatch(part)
    known: dict[str, Metric] = {name: name for name in get_args(Metric)}
    metric = known.get(match["metric"].lower()) if match else None
    if match is None or metric is None:
        what = f"unknown metric {match['metric']!r}" if match else f"{part!r} is not a limit"
        raise UsageError(
            f"budget {text!r}: {what}; expected {', '.join(known)} with <= or >= and a number; "
            f"type for example --budget '{EXAMPLE}'"
        )
    better, sign = ("more", ">=") if metric in ABSOLUTE else ("less", "<=")
    if match["sign"] != sign:
        raise UsageError(
            f"budget {text!r}: of {metric} {better} is better, so its limit is written with "
            f"{sign}; type for example --budget '{_example(metric)}'"
        )
    return Limit(metric, _value(metric, match["value"], text))


def _value(metric: Metric, written: str, text: str) -> float:
    number = NUMBER.fullmatch(written)
    unit = (number["unit"] or "").lower() if number else ""
    fits = {"psnr": ("", "db"), "ssim": ("",)}.get(metric, ("%",))
    value = float(number["number"]) if number else -1.0
    ranges = {"psnr": (0.0, 200.0), "ssim": (0.0, 1.0)}
    low, high = ranges.get(metric, (-100.0, 1e6))
    if number is None or unit not in fits or not low <= value <= high:
        expected = {"psnr": "decibels, 0 to 200", "ssim": "a number from 0 to 1"}.get(
            metric, "a relative change in percent"
        )
        raise UsageError(
            f"budget {text!r}: {metric} takes {expected}, got {written!r}; type for example "
            f"--budget '{_example(metric)}'"
        )
    return value if metric in ABSOLUTE else value / 100


def _example(metric: Metric) -> str:
    return {"psnr": "psnr>=38", "ssim": "ssim>=0.97"}.get(metric, f"{metric}<=+5%")
