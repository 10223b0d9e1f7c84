"""Budgets: lists of limits such as ``psnr>=38, style<=+5%``, over terms that each budget declares.

A limit is the name of a term, ``<=`` or ``>=``, and a number with its unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from styleexport.core.errors import UsageError

LIMIT = re.compile(r"(?P<term>[\w\-]+)\s*(?P<sign><=|>=|<|>|==?)\s*(?P<value>\S.*)")
NUMBER = re.compile(r"(?P<number>[+-]?\d+(\.\d*)?|[+-]?\.\d+)\s*(?P<unit>%|dB|[kM]?B)?", re.I)

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True)
class Unit:
    """Notation of a value in a budget and in messages.

    Attributes:
        suffixes: what may follow the number, in lower case, and the factor that it stands for.
        low: least number that may be written.
        high: largest number that may be written.
        message: text of a figure in a message.
        written: text of a value in a budget.
        divisor: divides the written number to give the value: 100 for percent.
        above_low: whether ``low`` itself is excluded.
    """

    suffixes: Mapping[str, int]
    low: float
    high: float
    message: Callable[[float], str]
    written: Callable[[float], str]
    divisor: int = 1
    above_low: bool = False

    def value(self, number: float, suffix: str) -> float | None:
        """Return the value of a number with a suffix; None where it is not of this unit."""
        too_low = number <= self.low if self.above_low else number < self.low
        if suffix not in self.suffixes or too_low or number > self.high:
            return None
        return number * self.suffixes[suffix] / self.divisor


DECIBELS = Unit({"": 1, "db": 1}, 0, 200, "{:.2f} dB".format, "{:g}".format)
FRACTION = Unit({"": 1}, 0, 1, "{:.4f}".format, "{:g}".format)
# Relative changes, kept as shares: 0.05 is +5 %.
CHANGE = Unit(
    {"%": 1},
    -100,
    1e6,
    lambda value: f"{100 * value:+.2f} %",
    lambda value: f"{100 * value:+g}%",
    divisor=100,
)
# Shares of an original, kept as 0..1.
SHARE = Unit(
    {"%": 1},
    0,
    100,
    lambda value: f"{100 * value:.2f} %",
    lambda value: f"{100 * value:g}%",
    divisor=100,
    above_low=True,
)
BYTE_COUNT = Unit(
    {"b": 1, "kb": 1_000, "mb": 1_000_000},
    0,
    math.inf,
    lambda value: f"{value / 1e6:.3f} MB",
    "{:.15g}B".format,
    above_low=True,
)


@dataclass(frozen=True)
class Term(Generic[Name]):
    """A quantity that a budget can limit.

    Attributes:
        name: written before the sign.
        units: units that its values may have.
        expected: what it takes, in words.
        example: a limit of it to type.
        is_least: whether more is better, so that a limit is the least value.
    """

    name: Name
    units: tuple[Unit, ...]
    expected: str
    example: str
    is_least: bool = False


@dataclass(frozen=True)
class Limit(Generic[Name]):
    """The least or largest value of a term."""

    term: Term[Name]
    value: float
    unit: Unit

    def holds(self, measured: float) -> bool:
        """Whether a figure is inside."""
        return measured >= self.value if self.term.is_least else measured <= self.value

    def failure(self, measured: float, verb: str) -> str:
        """Return the message of a figure outside: ``psnr 36.00 dB measured, at least … allowed``.

        Args:
            measured: the figure.
            verb: how it came about: ``measured``, ``reached``.
        """
        bound = "at least" if self.term.is_least else "at most"
        return (
            f"{self.term.name} {self.unit.message(measured)} {verb}, {bound} "
            f"{self.unit.message(self.value)} allowed"
        )

    def __str__(self) -> str:
        sign = ">=" if self.term.is_least else "<="
        return f"{self.term.name}{sign}{self.unit.written(self.value)}"


@dataclass(frozen=True)
class Grammar(Generic[Name]):
    """The terms of a kind of budget.

    Attributes:
        terms: quantities that can be limited.
        noun: what messages call them: ``metric``, ``term``.
        example: a budget to type.
    """

    terms: tuple[Term[Name], ...]
    noun: str
    example: str

    def parse(self, text: str) -> tuple[Limit[Name], ...]:
        """Return the limits that a text describes, in order.

        Raises:
            UsageError: a term, sign or value does not fit, a term is named twice, or none is named.
        """
        limits = tuple(self._limit(part.strip(), text) for part in text.split(",") if part.strip())
        if not limits:
            raise self.error(text, "is empty")
        if len({limit.term.name for limit in limits}) < len(limits):
            raise self.error(text, f"names a {self.noun} twice")
        return limits

    def error(self, text: str, reason: str) -> UsageError:
        """Return the error of a whole budget."""
        return UsageError(f"budget {text!r} {reason}; type for example --budget '{self.example}'")

    def _limit(self, part: str, text: str) -> Limit[Name]:
        match = LIMIT.fullmatch(part)
        known: dict[str, Term[Name]] = {term.name: term for term in self.terms}
        term = known.get(match["term"].lower()) if match else None
        if match is None or term is None:
            what = f"unknown {self.noun} {match['term']!r}" if match else f"{part!r} is not a limit"
            raise UsageError(
                f"budget {text!r}: {what}; expected {', '.join(known)} with <= or >= and a number; "
                f"type for example --budget '{self.example}'"
            )
        better, sign = ("more", ">=") if term.is_least else ("less", "<=")
        if match["sign"] != sign:
            raise UsageError(
                f"budget {text!r}: of {term.name} {better} is better, so its limit is written with "
                f"{sign}; type for example --budget '{term.example}'"
            )
        return _valued(term, match["value"], text)


def _valued(term: Term[Name], written: str, text: str) -> Limit[Name]:
    if number := NUMBER.fullmatch(written):
        for unit in term.units:
            value = unit.value(float(number["number"]), (number["unit"] or "").lower())
            if value is not None:
                return Limit(term, value, unit)
    raise UsageError(
        f"budget {text!r}: {term.name} takes {term.expected}, got {written!r}; type for example "
        f"--budget '{term.example}'"
    )
