"""Budget of a pruning: limits on what a network may cost and lose, ``macs<=50%, style<=+5%``.

The grammar is that of the quality budget of int8. Terms of size (``macs``, ``parameters``,
``bytes``) decide how far to cut; terms of quality (``style``, ``psnr``) are checked at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from styleexport.core.budget import BYTE_COUNT, CHANGE, DECIBELS, SHARE, Grammar, Limit, Term
from styleexport.core.errors import QualityBudgetExceeded
from styleexport.models.compress.cost import Costs, total_macs
from styleexport.models.compress.prune.report import PruneReport

PruneTerm = Literal["macs", "parameters", "bytes", "style", "psnr"]
SIZES: tuple[PruneTerm, ...] = ("macs", "parameters", "bytes")
SHARE_EXPECTED = "a share of the original in percent, above 0 to 100"
# macs are those of the default roles at the first size, bytes those of the weights at int8, psnr is
# pooled over the held-out paintings.
GRAMMAR: Grammar[PruneTerm] = Grammar(
    (
        Term("macs", (SHARE,), SHARE_EXPECTED, "macs<=50%"),
        Term("parameters", (SHARE,), SHARE_EXPECTED, "parameters<=50%"),
        Term(
            "bytes",
            (SHARE, BYTE_COUNT),
            f"{SHARE_EXPECTED}, or a size at int8 such as 2MB",
            "bytes<=2MB",
        ),
        Term("style", (CHANGE,), "a relative change in percent", "style<=+5%"),
        Term("psnr", (DECIBELS,), "decibels, 0 to 200", "psnr>=30", is_least=True),
    ),
    noun="term",
    example="macs<=50%, style<=+5%",
)


@dataclass(frozen=True)
class PruneBudget:
    """Limits that must all hold.

    Attributes:
        limits: at most one per term; at least one is of size.
    """

    limits: tuple[Limit[PruneTerm], ...]

    @classmethod
    def parse(cls, text: str) -> PruneBudget:
        """Return the budget that a text such as ``macs<=50%, style<=+5%`` describes.

        Raises:
            UsageError: a term, sign or value does not fit, a term is named twice, or none is of
                size.
        """
        limits = GRAMMAR.parse(text)
        if not any(limit.term.name in SIZES for limit in limits):
            names = ", ".join(SIZES)
            raise GRAMMAR.error(text, f"says nothing of the size, which one of {names} does")
        return cls(limits)

    @property
    def sizes(self) -> tuple[Limit[PruneTerm], ...]:
        """Limits on MACs, parameters and bytes."""
        return tuple(limit for limit in self.limits if limit.term.name in SIZES)

    def failures(self, report: PruneReport) -> tuple[str, ...]:
        """Return each limit that does not hold: term, reached, allowed; () inside the budget.

        Limits on what was not measured, such as the quality in a dry run, are ignored.
        """
        failures: list[str] = []
        for limit in self.limits:
            reached = _reached(limit, report)
            if reached is None or limit.holds(reached):
                continue
            failures.append(limit.failure(reached, "reached"))
        return tuple(failures)

    def __str__(self) -> str:
        return ", ".join(map(str, self.limits))


def check_budget(report: PruneReport) -> None:
    """Raise where a pruning is outside its budget; its files are written all the same.

    Raises:
        QualityBudgetExceeded: what was reached, and what to type.
    """
    if not report.failures:
        return
    where = f"the nearest is {report.weights}" if report.weights else "nothing was written"
    if any(failure.startswith(SIZES) for failure in report.failures):
        advice = "no layer is cut below a quarter of its channels: allow more with --budget"
    elif report.trained_steps:
        advice = "train longer with --steps, or allow more with --budget"
    else:
        advice = "it was cut and not trained: add --retrain FOLDER, or allow more with --budget"
    raise QualityBudgetExceeded(
        f"budget {report.budget!r} is not met: {', '.join(report.failures)}; {where}; {advice}"
    )


def size_shares(limit: Limit[PruneTerm], costs: Costs) -> float:
    """Return the figure that a limit of size bounds: a share of the original, or bytes at int8."""
    if limit.term.name == "macs":
        return total_macs(costs).share
    return costs.weight_bytes["int8"].after if limit.unit is BYTE_COUNT else costs.parameters.share


def _reached(limit: Limit[PruneTerm], report: PruneReport) -> float | None:
    if limit.term.name == "psnr":
        return report.pooled_db
    if limit.term.name == "style":
        return None if report.style is None else report.style.change
    return size_shares(limit, report.costs)
