"""What became of one step of the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class StepFailed(Exception):
    """A step found something wrong; the message is what the tool said."""


class PieceMissing(Exception):
    """Something that a step needs is not on this machine; the message says what to type."""


@dataclass(frozen=True)
class Outcome:
    """What became of one step.

    Attributes:
        step: in a few words.
        status: ``left out`` is what could not be done here, which is no failure.
        detail: what was done, found wrong, or missing.
    """

    step: str
    status: Literal["passed", "failed", "left out"]
    detail: str
