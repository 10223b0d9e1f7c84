"""Outcome of one check: passed, failed or not possible here, with details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "not possible here"]


@dataclass(frozen=True)
class Outcome:
    """Result of one check.

    Attributes:
        name: name of the check.
        status: result.
        lines: faults, a summary, or the reason why the check was not possible.
    """

    name: str
    status: Status
    lines: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, faults: list[str], summary: str) -> Outcome:
        """Return a failure with its faults, or where there are none a pass with a summary."""
        return cls(name, "failed" if faults else "passed", tuple(faults) or (summary,))
