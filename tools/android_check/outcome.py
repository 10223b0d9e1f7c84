"""Outcome of one step of the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class StepFailed(Exception):
    """A step failed; the message is the output of the tool."""


class PieceMissing(Exception):
    """A tool or file that a step needs is not on this machine; the message says what to type."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of one step.

    Attributes:
        step: name of the step.
        status: ``left out`` is a step that cannot be done on this machine, which is no failure.
        detail: what was done, the output of the tool, or what is missing.
    """

    step: str
    status: Literal["passed", "failed", "left out"]
    detail: str
