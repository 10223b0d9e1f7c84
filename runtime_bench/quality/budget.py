"""A quality budget: what a file may lose, written as ``psnr>=38, style<=+5%``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from styleexport.core.budget import CHANGE, DECIBELS, FRACTION, Grammar, Limit, Term
from styleexport.core.errors import UsageError
from styleexport.runtime_bench.quality.report import Metric, QualityReport

CHANGES: tuple[Metric, ...] = ("style", "gram", "lpips", "flicker")
# psnr (pooled) and ssim (mean) are bounded below; the others are relative changes, bounded above.
GRAMMAR: Grammar[Metric] = Grammar(
    (
        Term("psnr", (DECIBELS,), "decibels, 0 to 200", "psnr>=38", is_least=True),
        Term("ssim", (FRACTION,), "a number from 0 to 1", "ssim>=0.97", is_least=True),
        *(Term(n, (CHANGE,), "a relative change in percent", f"{n}<=+5%") for n in CHANGES),
    ),
    noun="metric",
    example="psnr>=38, style<=+5%",
)


@dataclass(frozen=True)
class Budget:
    """Limits that must all hold."""

    limits: tuple[Limit[Metric], ...]

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Return the budget that a text such as ``psnr>=38, style<=+5%`` describes.

        Raises:
            UsageError: a metric, sign or value does not fit, or a metric is named twice.
        """
        return cls(GRAMMAR.parse(text))

    def stricter(self, decibels: float) -> Budget:
        """Return the budget with its PSNR's limit raised."""
        raised = (
            replace(limit, value=limit.value + decibels) if limit.term.name == "psnr" else limit
            for limit in self.limits
        )
        return Budget(tuple(raised))

    def limit(self, metric: Metric) -> float | None:
        """Return the value of a metric's limit; None where it has none."""
        return next((limit.value for limit in self.limits if limit.term.name == metric), None)

    def failures(self, report: QualityReport) -> tuple[str, ...]:
        """Return each limit that does not hold: metric, measured, allowed; () inside the budget.

        Style codes are held to their PSNR alone: they have no style of their own.

        Raises:
            UsageError: a metric of the budget was not measured.
        """
        failures: list[str] = []
        for limit in self.limits:
            measured = report.measured(limit.term.name)
            if measured is None:
                if report.ssim is None:
                    continue
                raise _unmeasured(limit.term.name)
            if not limit.holds(measured):
                failures.append(limit.failure(measured, "measured"))
        return tuple(failures)

    def __str__(self) -> str:
        return ", ".join(map(str, self.limits))


def _unmeasured(metric: Metric) -> UsageError:
    if metric == "lpips":
        return UsageError(
            "the budget limits lpips, which was not measured: add --loss-weights VGG16 and "
            "--lpips-heads HEADS, or leave lpips out of --budget"
        )
    return UsageError(f"the budget limits {metric}, which was not measured: leave it out")
