"""A budget of a pruning: what the network may cost and lose, ``macs<=50%, style<=+5%``.

Its grammar is that of the quality budget of int8. Terms of size (``macs``, ``parameters``,
``bytes``) say how far to cut; terms of quality (``style``, ``psnr``) are judged when all is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from styleexport.core.errors import QualityBudgetExceeded, UsageError
from styleexport.models.compress.cost import Costs, total_macs
from styleexport.models.compress.prune.report import PruneReport

EXAMPLE = "macs<=50%, style<=+5%"
LIMIT = re.compile(r"(?P<term>[\w\-]+)\s*(?P<sign><=|>=|<|>|==?)\s*(?P<value>\S.*)")
NUMBER = re.compile(r"(?P<number>[+-]?\d+(\.\d*)?|[+-]?\.\d+)\s*(?P<unit>%|dB|[kM]?B)?", re.I)
BYTES = {"b": 1, "kb": 1_000, "mb": 1_000_000}

Term = Literal["macs", "parameters", "bytes", "style", "psnr"]
SIZES: tuple[Term, ...] = ("macs", "parameters", "bytes")
EXPECTED: Mapping[Term, str] = {
    "macs": "a share of the original in percent, above 0 to 100",
    "parameters": "a share of the original in percent, above 0 to 100",
    "bytes": "a share of the original in percent, above 0 to 100, or a size at int8 such as 2MB",
    "style": "a relative change in percent",
    "psnr": "decibels, 0 to 200",
}
EXAMPLES: Mapping[Term, str] = {
    "macs": "macs<=50%",
    "parameters": "parameters<=50%",
    "bytes": "bytes<=2MB",
    "style": "style<=+5%",
    "psnr": "psnr>=30",
}


@dataclass(frozen=True)
class Limit:
    """The least or most of one term.

    Attributes:
        term: macs (over the default roles at the first size), parameters and bytes (of the weights
            at int8) are bounded above; so is style, by a relative change; psnr (dB, pooled over the
            held-out paintings) is bounded below.
        value: a share (0.05 is 5 %), in dB, or in bytes.
        absolute: whether it is in bytes.
    """

    term: Term
    value: float
    absolute: bool = False

    def holds(self, reached: float) -> bool:
        """Whether a figure is inside."""
        return reached >= self.value if self.term == "psnr" else reached <= self.value

    def shown(self, value: float) -> str:
        """Return a figure of this term in its unit."""
        if self.term == "psnr":
            return f"{value:.2f} dB"
        if self.absolute:
            return f"{value / 1e6:.3f} MB"
        return f"{100 * value:{'+' if self.term == 'style' else ''}.2f} %"

    def __str__(self) -> str:
        if self.absolute:
            return f"{self.term}<={self.value:.15g}B"
        if self.term == "psnr":
            return f"psnr>={self.value:g}"
        return f"{self.term}<={100 * self.value:{'+' if self.term == 'style' else ''}g}%"


@dataclass(frozen=True)
class PruneBudget:
    """Limits that must all hold; one at least is of size."""

    limits: tuple[Limit, ...]

    @classmethod
    def parse(cls, text: str) -> PruneBudget:
        """Return the budget that a text such as ``macs<=50%, style<=+5%`` describes.

        Raises:
            UsageError: a term, sign or value does not fit, a term is named twice, or none is of
                size.
        """
        limits = tuple(_limit(part.strip(), text) for part in text.split(",") if part.strip())
        names = [limit.term for limit in limits]
        reason = ""
        if not limits:
            reason = "is empty"
        elif len(set(names)) < len(names):
            reason = "names a term twice"
        elif not set(names) & set(SIZES):
            reason = f"says nothing of the size, which one of {', '.join(SIZES)} does"
        if reason:
            raise UsageError(f"budget {text!r} {reason}; type for example --budget '{EXAMPLE}'")
        return cls(limits)

    @property
    def sizes(self) -> tuple[Limit, ...]:
        """The limits of size."""
        return tuple(limit for limit in self.limits if limit.term in SIZES)

    def failures(self, report: PruneReport) -> tuple[str, ...]:
        """Return each limit that does not hold: term, reached, allowed; () inside the budget.

        What was not measured, such as the quality in a dry run, is not looked at.
        """
        found: list[str] = []
        for limit in self.limits:
            reached = _reached(limit, report)
            if reached is None or limit.holds(reached):
                continue
            word = "at least" if limit.term == "psnr" else "at most"
            found.append(
                f"{limit.term} {limit.shown(reached)} reached, {word} "
                f"{limit.shown(limit.value)} allowed"
            )
        return tuple(found)

    def __str__(self) -> str:
        return ", ".join(map(str, self.limits))


def check_budget(report: PruneReport) -> None:
    """Raise where a pruning is outside its budget; what it reached is written all the same.

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


def size_shares(limit: Limit, costs: Costs) -> float:
    """Return what a limit of size bounds, of a network that was cut."""
    if limit.term == "macs":
        return total_macs(costs).share
    return costs.weight_bytes["int8"].after if limit.absolute else costs.parameters.share


def _reached(limit: Limit, report: PruneReport) -> float | None:
    if limit.term == "psnr":
        return report.pooled_db
    if limit.term == "style":
        return None if report.style is None else report.style.change
    return size_shares(limit, report.costs)


def _limit(part: str, text: str) -> Limit:
    """Return the limit that one part of a budget describes."""
    match = LIMIT.fullmatch(part)
    known: dict[str, Term] = {name: name for name in get_args(Term)}
    term = known.get(match["term"].lower()) if match else None
    if match is None or term is None:
        what = f"unknown term {match['term']!r}" if match else f"{part!r} is not a limit"
        raise UsageError(
            f"budget {text!r}: {what}; expected {', '.join(known)} with <= or >= and a number; "
            f"type for example --budget '{EXAMPLE}'"
        )
    better, sign = ("more", ">=") if term == "psnr" else ("less", "<=")
    if match["sign"] != sign:
        raise UsageError(
            f"budget {text!r}: of {term} {better} is better, so its limit is written with {sign}; "
            f"type for example --budget '{EXAMPLES[term]}'"
        )
    return _valued(term, match["value"], text)


def _valued(term: Term, written: str, text: str) -> Limit:
    number = NUMBER.fullmatch(written)
    value = float(number["number"]) if number else 0.0
    unit = (number["unit"] or "").lower() if number else "none"
    if term == "psnr" and unit in ("", "db") and 0 <= value <= 200:
        return Limit(term, value)
    if term == "style" and unit == "%" and -100 <= value <= 1e6:
        return Limit(term, value / 100)
    if term in SIZES and unit == "%" and 0 < value <= 100:
        return Limit(term, value / 100)
    if term == "bytes" and unit in BYTES and value > 0:
        return Limit(term, value * BYTES[unit], absolute=True)
    raise UsageError(
        f"budget {text!r}: {term} takes {EXPECTED[term]}, got {written!r}; type for example "
        f"--budget '{EXAMPLES[term]}'"
    )
